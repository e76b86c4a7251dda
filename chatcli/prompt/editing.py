"""The full-featured prompt line: history, menu, toolbar, folded pastes. The only module that uses a PromptSession.

Loads prompt_toolkit; imported when the first prompt is made.
"""

from __future__ import annotations

from asyncio import get_running_loop
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from prompt_toolkit import PromptSession, print_formatted_text
from prompt_toolkit.application import get_app, in_terminal
from prompt_toolkit.buffer import Buffer, ValidationState
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import FormattedText, StyleAndTextTuples
from prompt_toolkit.input import Input
from prompt_toolkit.input.typeahead import get_typeahead, store_typeahead
from prompt_toolkit.key_binding import KeyBindings, KeyPress
from prompt_toolkit.layout.processors import TabsProcessor
from prompt_toolkit.lexers import DynamicLexer, SimpleLexer
from prompt_toolkit.output import Output
from prompt_toolkit.styles import Style
from prompt_toolkit.validation import ValidationError

from chatcli.errors import ChatcliError
from chatcli.prompt import keys, multiline, toolbar
from chatcli.prompt.bracketed_paste import mind_marks
from chatcli.prompt.completer import Suggestion, as_completer, in_mention
from chatcli.prompt.drawing import HideUnwanted, ShowFolded, without_unwanted
from chatcli.prompt.handover import at_rest, prompting, show_above, stopping
from chatcli.prompt.history import LineHistory
from chatcli.prompt.line import Interrupted, Outcome, ReaderOptions, TypedLine
from chatcli.prompt.menu import Detail, Find
from chatcli.prompt.paste import Pastes, RecalledLines, label_of
from chatcli.prompt.terminal_answers import Listener, listen
from chatcli.prompt.terminal_io import Terminal
from chatcli.suspension import handed_over
from chatcli.text import as_name, shortened

if TYPE_CHECKING:
    from chatcli.prompt.beside_reply import LineBesideReply

_STYLE = Style.from_dict(
    {
        **toolbar.STYLE,
        "menu.chosen": "bold",
        "menu.detail": "fg:#888888",
        "prompt": "bold",
        "typed": "bold",
        "prompt-continuation": "fg:#888888",
        "queued": "nobold fg:#888888",
        "placeholder": "fg:#888888",
        "folded": "italic",
        "validation-toolbar": "noreverse bg:default fg:#c07000",
    }
)
_MENU_ROWS = 8
_QUEUED, _QUEUE_ROWS = "queued:", 3
# How long a lone Escape waits for the rest of an Alt key; the library's half second is felt in vi mode.
_ESCAPE_SECONDS = 0.1


class EditedLine:
    """Edits one line at a time. keys.py says what each key does."""

    def __init__(
        self,
        history: LineHistory,
        suggest: Callable[[str], Sequence[Suggestion]],
        draw_toolbar: Callable[[], toolbar.Toolbar],
        options: ReaderOptions,
        input_: Input,
        output: Output,
    ) -> None:
        self.is_composing = False
        self.queue: list[TypedLine] = []
        self._beside: LineBesideReply | None = None  # while a reply comes
        self._ahead: list[KeyPress] = []  # typed before a question that asks for a key
        self._kept: Document | None = None  # what was in the line when the reply ended
        self._warning = ""  # why the line cannot be sent
        self._options = options
        self._draw_toolbar = draw_toolbar
        self._output = output
        self._input = input_
        self._keys = mind_marks(input_)
        self._may_leave = False  # whether a Ctrl-D typed ahead may leave
        self._recall = RecalledLines(history)
        self._session = self._made_session(suggest)
        self.app = self._session.app
        self._last_key = monotonic()
        self._listener: Listener | None = None
        self._starting: list[Callable[[], None]] = []
        self.app.key_processor.before_key_press += self._note_key
        self.app.after_render += self._start
        self.app.ttimeoutlen = _ESCAPE_SECONDS
        self.buffer = self._session.default_buffer
        self.buffer.accept_handler = self._accept
        self.pastes = self._recall.pastes = Pastes(self.buffer)
        tabs = TabsProcessor(char1=" ", char2=" ")
        self._session.input_processors = [HideUnwanted(), ShowFolded(self.pastes), tabs]

    def _made_session(self, suggest: Callable[[str], Sequence[Suggestion]]) -> PromptSession[Outcome]:
        return PromptSession(
            self._prompt,
            prompt_continuation=self._continuation,
            placeholder=self._placeholder,
            bottom_toolbar=self._toolbar,
            vi_mode=self._options.vi,
            history=self._recall,
            completer=as_completer(suggest),
            complete_while_typing=Condition(self._has_menu),
            enable_history_search=Condition(lambda: not self._has_menu()),
            reserve_space_for_menu=_MENU_ROWS,
            style=_STYLE,
            include_default_pygments_style=False,
            lexer=DynamicLexer(self._lexer),  # what a person said stands out above the replies
            key_bindings=keys.bind(self),
            input=self._input,
            output=self._output,
        )

    def read(self, prefill: str) -> Outcome:
        begin = self._beginning(prefill)
        self._fit()
        with prompting(self.app, self._input):
            outcome = self._session.prompt(default=begin, pre_run=self._begin)
        self._may_leave = isinstance(outcome, Interrupted)  # both keys were meant for the prompt
        if isinstance(outcome, TypedLine) and not outcome.text:
            self.app.erase_when_done = False
            return self.take_queued()
        return outcome

    def take_queued(self) -> TypedLine:
        """Takes the first entry of the queue, and shows it as if it had been entered now."""
        entry = self.queue.pop(0)
        text = without_unwanted(label_of(entry.retyped))
        shown = text.replace("\n", f"\n{self._options.continuation}")
        line = FormattedText([("class:prompt", self._options.prompt), ("class:typed", shown)])
        print_formatted_text(line, style=_STYLE, output=self._output)
        return entry

    @contextmanager
    def beside_reply(self) -> Iterator[LineBesideReply | None]:
        """In this block, while a reply comes, lines are typed below it, and Enter puts them into the queue. Yields
        None where keys do not arrive as text (Windows).
        """
        from chatcli.prompt.beside_reply import LineBesideReply

        if self._keys is None or not isinstance(self._output, Terminal):
            yield None
            return
        begin = self._beginning("")
        beside = self._beside = LineBesideReply(self.app, self._output, self._fit)
        try:
            with beside.running(partial(self._prompt_beside, begin)):
                yield beside
        finally:
            self._beside, self._kept = None, self.buffer.document

    async def _prompt_beside(self, begin: str | Document) -> None:
        await self._session.prompt_async(
            default=begin, pre_run=self._begin, set_exception_handler=False, handle_sigint=False
        )

    def _beginning(self, prefill: str) -> str | Document:
        """Returns what the line begins with: `prefill`, and what was typed while a reply came."""
        kept, self._kept = self._kept, None
        if kept is not None and kept.text and not prefill:
            return kept
        typed = self.pastes.expand(kept.text) if kept is not None else ""
        self.pastes.reset()
        return self.pastes.folded("\n".join(filter(None, (prefill, typed))))

    def ask(self, question: str) -> str:
        """Asks for one short answer, without history, menu or toolbar."""
        keys = stopping(KeyBindings())
        asking = PromptSession[str](
            question, input=self._input, output=self._output, style=_STYLE, key_bindings=keys
        )
        with prompting(asking.app, self._input):
            return asking.prompt(pre_run=self._begin)

    def choose(
        self, question: str, choices: Sequence[str], detail: Detail | None, find: Find | None
    ) -> int | None:
        """Returns the index of the choice; None when none is taken."""
        from chatcli.prompt.choosing import ChoiceMenu, choosing

        asking = choosing(
            question, ChoiceMenu(choices, detail, find, self.size), _STYLE, self._input, self._output
        )
        asking.ttimeoutlen = _ESCAPE_SECONDS
        with prompting(asking, self._input):
            index = asking.run(pre_run=self._begin)
        self.say(f"{as_name(question)} {as_name(choices[index])}" if index is not None else as_name(question))
        return index

    def key(self, told: str, letters: str) -> str | None:
        """Asks for one of these letters: see one_key.py. Other keys are kept for the line."""
        from chatcli.prompt.one_key import OneKey

        keys = self._keys
        asking = OneKey(
            as_name(told), letters, _STYLE, self._input, self._output, keys.waiting if keys is not None else list
        )

        def begin() -> None:
            self._begin()
            asking.begin()

        asking.app.ttimeoutlen = _ESCAPE_SECONDS
        try:
            with prompting(asking.app, self._input):
                return asking.app.run(pre_run=begin)
        finally:
            self._ahead += asking.ahead

    @contextmanager
    def ahead_kept(self) -> Iterator[None]:
        """What `key` has kept for the line is handed to it when this block is left, not to a question in it."""
        try:
            yield
        finally:
            ahead, self._ahead = self._ahead, []
            store_typeahead(self._input, [*ahead, *get_typeahead(self._input)])

    def say(self, text: str) -> None:
        self._output.write(text + "\r\n")
        self._output.flush()

    def size(self) -> tuple[int, int]:
        size = self._output.get_size()
        return size.columns, size.rows

    def refresh(self) -> None:
        with suppress(RuntimeError):  # the prompt may end between the check and the call
            self.app.invalidate()

    def show_above(self, show: Callable[[], None]) -> None:
        if self._beside is None:
            show_above(self.app, show)

    @property
    def marks_pastes(self) -> bool:
        return self._keys is not None

    @property
    def typed(self) -> str:
        unfinished = self._keys.unfinished if self._keys is not None else ""
        return self.pastes.expand(self.buffer.text) + unfinished

    @property
    def unsent(self) -> list[str]:
        """Returns what waits in the queue, and what was typed while the last reply came."""
        kept = self.pastes.expand(self._kept.text) if self._kept is not None else ""
        return [*(entry.retyped for entry in self.queue), *filter(None, [kept])]

    def idle(self) -> float:
        return monotonic() - self._last_key

    def on_first_render(self, callback: Callable[[], None]) -> None:
        self._starting.append(callback)

    def inquire(self, questions: str, heed: Callable[[str], str]) -> None:
        """Asks the terminal once the prompt is drawn. `heed` gets each answer and returns what to ask next."""
        self._listener = listen(self._input, heed, self._write)
        if self._listener is not None:
            self.on_first_render(partial(self._listener.ask, questions))

    def close(self) -> None:
        if self._listener is not None:
            self._listener.leave()

    def submit(self) -> None:
        """Returns the line, unless it is blank or inside an open block, which continues in a new line. While a
        reply comes, the line goes into the queue; a blank one returns the first of a queue that waits.
        """
        text = self.pastes.expand(self.buffer.text)
        pasted = self.pastes.begin(text)
        if not pasted and multiline.is_open(text):
            self.buffer.insert_text("\n")
            return
        entry = TypedLine(text, pasted=True) if pasted else multiline.close(text)
        if self._beside is not None:
            if entry.text.strip():
                self.queue.append(entry)
                self.clear()
                self._fit()
        elif entry.text.strip():
            self.app.exit(result=entry)
        elif self.queue:
            self.app.erase_when_done = True  # the entry is shown instead
            self.app.exit(result=TypedLine(""))

    def take_back(self) -> None:
        """Puts the texts of the queue back into the line."""
        text = "\n".join(entry.retyped for entry in self.queue)
        self.queue.clear()
        self.buffer.document = Document(shown := self.pastes.folded(text), len(shown))

    @property
    def is_beside_reply(self) -> bool:
        return self._beside is not None

    def clear(self) -> None:
        """Empties the line."""
        self.buffer.reset()
        self.pastes.reset()

    def open_paste(self) -> None:
        """Puts the text of the folded paste at the cursor, or else of the first one, in its place."""
        before = self.buffer.cursor_position
        at = max(self.pastes.first_in(self.buffer.text[:before], last=True), -1)
        at = at if at == before - 1 >= 0 else self.pastes.first_in(self.buffer.text)
        if at >= 0:
            text, pasted = self.buffer.text, self.pastes.expand(self.buffer.text[at])
            self.buffer.save_to_undo_stack()
            self.buffer.document = Document(text[:at] + pasted + text[at + 1 :], at + len(pasted))

    def earlier_question(self, step: int) -> None:
        """Goes to the next earlier (-1) or later (1) line of the history that is no command."""
        go = self.buffer.history_backward if step < 0 else self.buffer.history_forward
        before = None
        while before != self.buffer.working_index:
            before = self.buffer.working_index
            self.buffer.history_search_text = ""  # of all lines, whatever this one is
            go()
            if not is_command(self.buffer.text):
                return

    def paste(self) -> None:
        """Attaches the picture on the clipboard to the next message; without one, its text is pasted."""
        from chatcli.prompt import clipboard

        async def fetch() -> None:
            try:
                held = await get_running_loop().run_in_executor(None, clipboard.read)
                if isinstance(held, str):
                    self.pastes.insert(held)
                    if not held:
                        self._complain("The clipboard has neither a picture nor text.")
                elif self._beside is not None:
                    self._complain("A picture is attached when the reply has ended: press Ctrl-V then.")
                elif self._options.take_picture is not None:
                    self._options.take_picture(held)
            except ChatcliError as error:
                self._complain(f"{error.message} {error.hint}")
            self.app.invalidate()

        get_app().create_background_task(fetch())

    def compose(self) -> None:
        """Opens the line in the user's editor. The result is put into the line, not sent."""
        from chatcli.prompt import editor

        if self._beside is not None:
            self._complain("The terminal is needed for the reply: the editor opens when it has ended.")
            return

        async def edit() -> None:
            self.is_composing = True
            text = self.pastes.expand(self.buffer.text)
            try:
                async with in_terminal():
                    with at_rest(), handed_over():
                        edited = await get_running_loop().run_in_executor(None, editor.edit, text)
            except ChatcliError as error:
                self._complain(f"{error.message} {error.hint}")
            else:
                self.buffer.document = Document(edited, len(edited))
            finally:
                self.is_composing = False

        get_app().create_background_task(edit())

    def _begin(self) -> None:
        if self._keys is not None:
            self._keys.begin(may_leave=self._may_leave)
        self._may_leave = False

    def _write(self, text: str) -> None:
        self._output.write_raw(text)
        self._output.flush()

    def _start(self, _: object) -> None:
        while self._starting and self._beside is None and not self.app.is_done:
            self._starting.pop(0)()

    def _note_key(self, _: object) -> None:
        self._last_key = monotonic()

    def _accept(self, _: Buffer) -> bool:
        self.submit()
        return True  # the text stays for the last drawing

    def _complain(self, text: str) -> None:
        """Shows `text` below the line until the line changes."""
        self.buffer.validation_error = ValidationError(message=text)
        self.buffer.validation_state = ValidationState.INVALID
        self.app.invalidate()

    def _is_command(self) -> bool:
        text = self.buffer.text
        return text.startswith("/") and "\n" not in text and not self.pastes.begin(text)

    def _fit(self) -> None:
        """Gives the menu the rows that the queue leaves."""
        room = self._output.get_size().rows - min(len(self.queue), _QUEUE_ROWS + 1) - 3
        self._session.reserve_space_for_menu = max(0, min(_MENU_ROWS, room))

    def _has_menu(self) -> bool:
        return self._is_command() or in_mention(self.buffer.document.text_before_cursor)

    def _continuation(self, _width: int, _line: int, wraps: int) -> str:
        return " " * len(self._options.continuation) if wraps else self._options.continuation

    def _placeholder(self) -> StyleAndTextTuples:
        return (
            []
            if get_app().is_done or self._beside is not None
            else [("class:placeholder", self._options.placeholder)]
        )

    def _toolbar(self) -> StyleAndTextTuples:
        ascii_only = "utf" not in self._output.encoding().lower()
        width = self._output.get_size().columns
        given = (
            self._draw_toolbar()
            if self._beside is None
            else toolbar.of_reply(self._beside.status, ascii_only=ascii_only)
        )
        if given.warning != self._warning:
            self._warning = given.warning
            self.app.invalidate()  # the line has been drawn already
        if self.pastes.first_in(self.buffer.text) >= 0:
            given = given._replace(notes=("Ctrl-O opens the paste", *given.notes))
        menu = self.buffer.complete_state
        if menu is not None and len(menu.completions) >= self._session.reserve_space_for_menu:
            given = given._replace(notes=(f"{len(menu.completions)} choices, Down for more", *given.notes))
        return [*toolbar.draw(given, width, ascii_only=ascii_only)]

    def _lexer(self) -> SimpleLexer:
        """What a person said stands out above the replies."""
        return SimpleLexer("class:refused" if self._warning else "class:typed")

    def _prompt(self) -> StyleAndTextTuples:
        """The prompt, and above it the queue."""
        waits = [] if get_app().is_done else self.queue
        shown = [f"{_QUEUED} {_first_line(entry.retyped)}" for entry in waits[:_QUEUE_ROWS]]
        if len(waits) > _QUEUE_ROWS:
            shown.append(f"{_QUEUED} and {len(waits) - _QUEUE_ROWS} more")
        if waits and self._beside is None:
            shown.append("Enter sends what waits, Ctrl-C takes it back")
        if self._beside is not None:
            shown.insert(0, "")
        width = self._output.get_size().columns - 1
        queue = [("class:queued", shortened(each, width) + "\n") for each in shown]
        return [*queue, ("", self._options.prompt)]


def is_command(text: str) -> bool:
    """Whether a line of the history is a command: of chatcli, or of the shell."""
    return (text.startswith("/") and not text.startswith("//")) or (text.startswith("!") and text[:2] != "!!")


def _first_line(text: str) -> str:
    return as_name(text.strip().split("\n", 1)[0])
