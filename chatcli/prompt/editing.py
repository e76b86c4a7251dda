"""The full-featured prompt line: history, menu, toolbar, folded pastes. The only module that uses a PromptSession.

Loads prompt_toolkit; imported when the first prompt is made.
"""

from __future__ import annotations

import os
import re
import signal
from asyncio import get_running_loop
from bisect import bisect_right
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from time import monotonic

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app, in_terminal
from prompt_toolkit.buffer import Buffer, ValidationState
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import History
from prompt_toolkit.input import Input
from prompt_toolkit.layout.processors import Processor, TabsProcessor, Transformation, TransformationInput
from prompt_toolkit.layout.utils import explode_text_fragments
from prompt_toolkit.lexers import SimpleLexer
from prompt_toolkit.output import Output
from prompt_toolkit.styles import Style
from prompt_toolkit.validation import ValidationError

from chatcli.errors import ChatcliError
from chatcli.prompt import keys, multiline, toolbar
from chatcli.prompt.bracketed_paste import mind_marks
from chatcli.prompt.completer import Suggestion, as_completer, in_mention
from chatcli.prompt.handover import at_rest, prompting, show_above
from chatcli.prompt.history import LineHistory
from chatcli.prompt.line import Interrupted, Outcome, ReaderOptions, TypedLine
from chatcli.prompt.paste import Pastes
from chatcli.prompt.terminal_answers import Listener, listen
from chatcli.suspension import handed_over
from chatcli.text import UNWANTED

_STYLE = Style.from_dict(
    {
        **toolbar.STYLE,
        "prompt": "bold",
        "typed": "bold",
        "prompt-continuation": "fg:#888888",
        "placeholder": "fg:#888888",
        "folded": "italic",
        "validation-toolbar": "noreverse bg:default fg:#c07000",
    }
)
_MENU_ROWS = 8
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
        self._options = options
        self._draw_toolbar = draw_toolbar
        self._output = output
        self._input = input_
        self._keys = mind_marks(input_)
        self._may_leave = False  # whether a Ctrl-D typed ahead may leave
        self._session: PromptSession[Outcome] = PromptSession(
            options.prompt,
            prompt_continuation=self._continuation,
            placeholder=self._placeholder,
            bottom_toolbar=self._toolbar,
            vi_mode=options.vi,
            history=_Recall(history),
            completer=as_completer(suggest),
            complete_while_typing=Condition(self._has_menu),
            enable_history_search=Condition(lambda: not self._has_menu()),
            reserve_space_for_menu=_MENU_ROWS,
            style=_STYLE,
            include_default_pygments_style=False,
            lexer=SimpleLexer("class:typed"),  # what a person said stands out above the replies
            key_bindings=keys.bind(self),
            input=input_,
            output=output,
        )
        self.app = self._session.app
        self._last_key = monotonic()
        self._listener: Listener | None = None
        self._starting: list[Callable[[], None]] = []
        self.app.key_processor.before_key_press += self._note_key
        self.app.after_render += self._start
        self.app.ttimeoutlen = _ESCAPE_SECONDS
        self.buffer = self._session.default_buffer
        self.buffer.accept_handler = self._accept
        self.pastes = Pastes(self.buffer)
        self._session.input_processors = [
            _HideUnwanted(),
            _ShowFolded(self.pastes),
            TabsProcessor(char1=" ", char2=" "),
        ]

    def read(self, prefill: str) -> Outcome:
        self.pastes.reset()
        with prompting(self.app, self._input):
            outcome = self._session.prompt(default=self.pastes.folded(prefill), pre_run=self._begin)
        self._may_leave = isinstance(outcome, Interrupted)  # both keys were meant for the prompt
        return outcome

    def ask(self, question: str) -> str:
        """Asks for one short answer, without history, menu or toolbar."""
        asking = PromptSession[str](question, input=self._input, output=self._output, style=_STYLE)
        with prompting(asking.app, self._input):
            return asking.prompt(pre_run=self._begin)

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
        show_above(self.app, show)

    @property
    def marks_pastes(self) -> bool:
        return self._keys is not None

    @property
    def typed(self) -> str:
        unfinished = self._keys.unfinished if self._keys is not None else ""
        return self.pastes.expand(self.buffer.text) + unfinished

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
        """Returns the line, unless it is blank or inside an open block, which continues in a new line."""
        text = self.pastes.expand(self.buffer.text)
        pasted = self.pastes.begin(text)
        if not pasted and multiline.is_open(text):
            self.buffer.insert_text("\n")
            return
        entry = TypedLine(text, pasted=True) if pasted else multiline.close(text)
        if entry.text.strip():
            self.app.exit(result=entry)

    def clear(self) -> None:
        """Empties the line."""
        self.buffer.reset()
        self.pastes.reset()

    def suspend(self) -> None:
        """Stops the program, and the programs it is piped together with."""
        if hasattr(signal, "SIGTSTP"):
            os.kill(0, signal.SIGTSTP)

    def compose(self) -> None:
        """Opens the line in the user's editor. The result is put into the line, not sent."""
        from chatcli.prompt import editor

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
        while self._starting:
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

    def _has_menu(self) -> bool:
        return self._is_command() or in_mention(self.buffer.document.text_before_cursor)

    def _continuation(self, _width: int, _line: int, wraps: int) -> str:
        return " " * len(self._options.continuation) if wraps else self._options.continuation

    def _placeholder(self) -> StyleAndTextTuples:
        return [] if get_app().is_done else [("class:placeholder", self._options.placeholder)]

    def _toolbar(self) -> StyleAndTextTuples:
        ascii_only = "utf" not in self._output.encoding().lower()
        width = self._output.get_size().columns
        return [*toolbar.draw(self._draw_toolbar(), width, ascii_only=ascii_only)]


class _Recall(History):
    """The line history in prompt_toolkit's form. Reader adds the lines, because it knows what was meant."""

    def __init__(self, history: LineHistory) -> None:
        super().__init__()
        self._history = history

    async def load(self) -> AsyncGenerator[str, None]:
        if not self._history.is_loaded:
            await get_running_loop().run_in_executor(None, self._history.lines)
        for line in self._history.lines():
            yield line

    def get_strings(self) -> list[str]:
        return self._history.lines()[::-1]

    def load_history_strings(self) -> Iterable[str]:
        return self._history.lines()

    def append_string(self, string: str) -> None:
        pass

    def store_string(self, string: str) -> None:
        pass


class _HideUnwanted(Processor):
    """Hides characters that hide or reverse the text around them; control characters appear as ^X anyway."""

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
        source = transformation_input.fragments
        if not any(UNWANTED.search(fragment[1]) for fragment in source):
            return Transformation(source)
        return Transformation([(style, UNWANTED.sub(_unseen, text)) for style, text, *_ in source])


def _unseen(found: re.Match[str]) -> str:
    return found[0] if found[0] < "\xa0" else "\u200b"


class _ShowFolded(Processor):
    """Shows the label of a folded paste instead of its character."""

    def __init__(self, pastes: Pastes) -> None:
        self._pastes = pastes

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
        source = transformation_input.fragments
        if not self._pastes.are_folded:
            return Transformation(source)
        starts: list[int] = []
        shown: StyleAndTextTuples = []
        column = 0
        for style, character, *_ in explode_text_fragments(source):
            label = self._pastes.label(character)
            starts.append(column)
            shown.append((f"{style} class:folded", label) if label else (style, character))
            column += len(label or character)
        starts.append(column)
        return Transformation(
            shown,
            source_to_display=lambda at: starts[min(at, len(starts) - 1)],
            display_to_source=lambda at: bisect_right(starts, at) - 1,
        )
