"""Words that say nothing of what a question is about, in seven languages. Data only; query.py uses it."""

from __future__ import annotations

from collections.abc import Collection

_ENGLISH = """
a about above after again all also am an and any are as at be because been before being below between both but
by can cannot could did do does doing done down during each else few for from further get got had has have
having he her here hers herself him himself his how i if in into is it its itself just let like ll m may me
might mine more most much must my myself no nor not now of off oh ok okay on once only or other our ours
ourselves out over own please really same shall she should so some still such than that the their theirs them
themselves then there these they this those through to too under until up us ve very was we were what when
where whether which while who whom whose why will with would yes yet you your yours yourself yourselves tell
said say says mention mentioned talk talked remember earlier re d s t don doesn didn isn aren wasn weren won
couldn shouldn wouldn hasn haven hadn thing things something anything
"""
_GERMAN = """
ab aber alle allem allen aller alles als also am an andere anderen auch auf aus bei beim bin bis bist da dabei
damit dann das dass dein deine deinem deinen deiner dem den denn der des dich die dies diese diesem diesen
dieser dieses dir doch dort du durch ein eine einem einen einer eines er es etwas euch euer eure für gegen
habe haben hast hat hatte hatten hier hin hinter ich ihm ihn ihnen ihr ihre ihrem ihren ihrer im in indem ins
ist ja jede jedem jeden jeder jedes jetzt kann kannst kein keine keinem keinen keiner können könnte machen mal
man manche mehr mein meine meinem meinen meiner mich mir mit muss nach nicht nichts noch nun nur ob oder ohne
schon sehr sein seine seinem seinen seiner selbst sich sie sind so soll sollte sondern sonst über um und uns
unser unsere unter viel vom von vor wann war waren warum was weil welche welchem welchen welcher welches wenn
wer werde werden weshalb wie wieder wieso will wir wird wirst wo wollen worden wurde wurden zu zum zur zwar
zwischen bitte gesagt sagen
"""
_FRENCH = """
ai aie alors après as au aucun aussi autre aux avant avec avez avoir avons bien c ça car ce ceci cela celle
celles celui ces cet cette ceux chaque chez ci comme comment d dans de depuis des dont du elle elles en encore
entre est et étaient était étant été être eu eux fait faire faut ici il ils j je jusque l la là le les leur
leurs lors lui m ma mais me même mes moi moins mon n ne ni non nos notre nous on ont ou où par parce pas
pendant peu peut peux plus pour pourquoi qu quand que quel quelle quelles quels qui quoi s sa sans se sera ses
si sien soi son sont sous sur t ta te tes toi ton tous tout toute toutes très tu un une vers voici voilà vos
votre vous y dit dire
"""
_SPANISH = """
a al algo algunos ante antes aquel aquella aquello aquí así aún aunque bien cada como cómo con contra cuál
cuales cuando cuándo cuanto de del desde donde dónde dos e el él ella ellas ello ellos en entre era eran eres
es esa esas ese eso esos esta está estaba están estar estas este esto estos estoy fue fueron fui ha había han
has hasta hay he la las le les lo los más me mi mí mis mucho muy nada ni no nos nosotros nuestra nuestro o os
otra otro para pero por porque pues que qué quien quién quienes se sea ser si sí sido sin sobre sois somos son
soy su sus suyo también tan tanto te tengo ti tiene todo todos tu tú tus un una uno unos usted ustedes
vosotros y ya yo dijo dime
"""
_ITALIAN = """
a ad agli ai al alla alle allo anche ancora avere aveva c che chi ci cioè come con contro cosa cui da dagli
dai dal dalla dalle dallo degli dei del della delle dello dentro di dopo dove due e è ed era erano essere fa
fra fu gli già ha hai hanno ho i il in io l la le lei li lo loro lui ma me mi mia mie miei mio molto ne negli
nei nel nella nelle nello no noi non nostra nostro o ogni per perché più poi prima qual quale quali quando
quanto quella quelle quelli quello questa queste questi questo qui se sei senza si sì sia siamo siete solo
sono sta su sua sue sugli sui sul sulla suo suoi te ti tra tu tua tuo tutti tutto un una uno vi voi vostra
vostro detto
"""
_PORTUGUESE = """
a à ao aos aquela aquele aquilo as às até com como da das de dela dele deles depois do dos e é ela elas ele
eles em entre era eram essa esse esta está estão estava este estou eu foi foram há isso isto já lhe lhes lo
mais mas me mesmo meu meus minha muito na não nas nem no nos nós nossa nosso num numa o onde os ou para pela
pelas pelo pelos per por porque qual quais quando quanto que quê quem se sem ser seu seus sua são só somos
também te tem têm tenho teu ti tinha tu tua tudo um uma umas uns você vocês vos disse
"""
_RUSSIAN = """
а без более больше бы был была были было быть в вам вас ведь весь во вот все всё всего всех вы где да даже для
до его ее её если есть еще ещё ж же за здесь и из или им их к как какая какие какой когда кого ко кто ли либо
лишь меня мне много может мой моя мы на над надо нам нас наш не него нее неё нет ни них но ну о об один он она
они оно от очень по под при про с сам свой себя сейчас со так также такой там твой те тебе тебя тем то тоже
только том тот ту ты у уже хотя чего чей чем что чтобы чья эта эти это этого этой этом этот я сказал говорил
"""

_LANGUAGES = tuple(
    frozenset(words.casefold().split())
    for words in (_ENGLISH, _GERMAN, _FRENCH, _SPANISH, _ITALIAN, _PORTUGUESE, _RUSSIAN)
)


def stopwords(words: Collection[str]) -> frozenset[str]:
    """Those of the language that most of the words are from: what is "war" in German is no small word in English.
    Of two languages that have as many, both; English where hardly any is told by them.
    """
    common = [sum(word in language for word in words) for language in _LANGUAGES]
    most = max(common)
    if most < 2:
        return _LANGUAGES[0]
    return frozenset().union(*(each for each, times in zip(_LANGUAGES, common, strict=True) if times == most))
