"""The demo engine treats the window, options and a cached prompt as Ollama does."""

from __future__ import annotations

import base64
import http.client
import json
import struct
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from chatcli.demo.models import VISION
from chatcli.demo.replies import DemoReply
from chatcli.demo.runner import LOADED, LOADING, READING
from chatcli.demo.tokenizer import vocabulary
from tests.faults import Engine

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", 640, 480)
Message = dict[str, Any]


PER_TOKEN = round(1e9 / READING)  # nanoseconds


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine() as engine:
        yield engine


def post(engine: Engine, path: str, body: dict[str, Any]) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(urlsplit(engine.url).netloc, timeout=10)
    try:
        connection.request("POST" if path != "/api/ps" else "GET", path, json.dumps(body))
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def chat(engine: Engine, *messages: Message, model: str = "demo", **more: Any) -> dict[str, Any]:
    """The whole answer; `num_ctx` and the like go to the options."""
    top: dict[str, Any] = {
        name: more.pop(name) for name in ("truncate", "shift", "think", "format", "keep_alive") if name in more
    }
    body = {"model": model, "messages": list(messages), "stream": False, "options": more, **top}
    status, answer = post(engine, "/api/chat", body)
    assert status == 200, answer
    assert isinstance(answer, dict)
    return answer


def rendered(engine: Engine, *messages: Message, model: str = "demo", **top: Any) -> str:
    body = {"model": model, "messages": list(messages), "_debug_render_only": True, **top}
    text = post(engine, "/api/chat", body)[1]["_debug_info"]["rendered_template"]
    assert isinstance(text, str)
    return text


def user(text: str, **more: Any) -> Message:
    return {"role": "user", "content": text, **more}


def assistant(text: str, **more: Any) -> Message:
    return {"role": "assistant", "content": text, **more}


def system(text: str) -> Message:
    return {"role": "system", "content": text}


def allocated(engine: Engine) -> dict[str, int]:
    return {row["name"]: row["context_length"] for row in post(engine, "/api/ps", {})[1]["models"]}


# The window


def test_the_window_is_the_requests_else_the_modelfiles_else_the_servers(engine: Engine) -> None:
    chat(engine, user("hi"))
    chat(engine, user("hi"), model="demo-brief")
    assert allocated(engine) == {"demo:latest": 4096, "demo-brief:latest": 2048}
    chat(engine, user("hi"), model="demo-brief", num_ctx=1024)
    assert allocated(engine)["demo-brief:latest"] == 1024


def test_the_window_is_clamped_to_the_trained_length(engine: Engine) -> None:
    chat(engine, user("hi"), num_ctx=99_999)
    assert allocated(engine) == {"demo:latest": 32768}


def test_a_model_with_vision_gets_a_window_of_2048_at_least(engine: Engine) -> None:
    chat(engine, user("hi"), model="demo-vision", num_ctx=512)
    assert allocated(engine) == {"demo-vision:latest": 2048}


def test_another_window_loads_the_model_anew(engine: Engine) -> None:
    durations = [chat(engine, user("hi"), num_ctx=size)["load_duration"] for size in (512, 512, 1024)]
    assert durations == [LOADING, LOADED, LOADING]


def test_a_model_leaves_when_its_time_is_up(engine: Engine) -> None:
    chat(engine, user("hi"), keep_alive="5m")
    chat(engine, user("hi"), model="demo-brief", keep_alive=-1)
    assert set(allocated(engine)) == {"demo:latest", "demo-brief:latest"}
    post(engine, "/api/chat", {"model": "demo", "messages": [], "keep_alive": 0})
    chat(engine, user("hi"), model="demo-brief", keep_alive="0s")
    assert allocated(engine) == {}


# What does not fit


def test_a_prompt_that_is_only_rendered_may_be_longer_than_the_window(engine: Engine) -> None:
    assert "word " * 600 in rendered(engine, user("word " * 600), truncate=False, options={"num_ctx": 512})


def test_the_oldest_messages_are_dropped_silently_but_not_the_system_prompt(engine: Engine) -> None:
    old = [user("early " * 100), assistant("answer " * 100)] * 3
    answer = chat(engine, system("Be kind."), *old, user("the last one"), num_ctx=300)
    assert answer["prompt_eval_count"] <= 300
    kept = rendered(engine, system("Be kind."), *old, user("the last one"), options={"num_ctx": 300})
    assert "Be kind." in kept
    assert "the last one" in kept
    assert kept.count("early") < 300


def test_a_last_message_that_is_too_long_alone_is_cut_to_the_window(engine: Engine) -> None:
    assert chat(engine, user("word " * 1000), num_ctx=256)["prompt_eval_count"] == 256


def test_with_truncate_off_it_is_refused_from_the_first_token_too_many(engine: Engine) -> None:
    fits = chat(engine, user("word " * 50), truncate=False)["prompt_eval_count"]
    body = {"model": "demo", "messages": [user("word " * 50)], "truncate": False}
    assert post(engine, "/api/chat", body | {"stream": False, "options": {"num_ctx": fits}})[0] == 200
    status, answer = post(engine, "/api/chat", body | {"options": {"num_ctx": fits - 1}})
    assert (status, answer) == (400, {"error": "the input length exceeds the context length"})


# What ends a reply


def test_without_shift_a_full_window_ends_the_reply(engine: Engine) -> None:
    answer = chat(engine, user("long"), shift=False, num_ctx=128)
    assert answer["done_reason"] == "length"
    assert answer["prompt_eval_count"] + answer["eval_count"] == 129


def test_with_shift_a_reply_goes_on_beyond_the_window(engine: Engine) -> None:
    answer = chat(engine, user("long"), num_ctx=128)
    assert answer["done_reason"] == "stop"
    assert answer["eval_count"] > 1000


def test_num_predict_ends_the_reply(engine: Engine) -> None:
    answer = chat(engine, user("long"), num_predict=6)
    assert (answer["done_reason"], answer["eval_count"]) == ("length", 6)


def test_a_reply_that_ends_by_itself_stops(engine: Engine) -> None:
    engine.say("One two three.")
    answer = chat(engine, user("count"))
    words = sum(1 for _ in vocabulary("llama-bpe").tokens("One two three."))
    assert (answer["done_reason"], answer["eval_count"]) == ("stop", words + 1)


def test_a_stop_word_ends_the_reply_before_it(engine: Engine) -> None:
    engine.say("One two three.")
    assert chat(engine, user("count"), stop=["three"])["message"]["content"] == "One two "


# Options and formats


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"temperature": "hot"}, 'option "temperature" must be of type float32'),
        ({"seed": True}, 'option "seed" must be of type integer'),
        ({"use_mmap": 1}, 'option "use_mmap" must be of type boolean'),
        ({"stop": "end"}, 'option "stop" must be of type array'),
        ({"stop": [1]}, 'option "stop" must be of an array of strings'),
    ],
)
def test_an_option_of_the_wrong_type_is_refused(engine: Engine, options: dict[str, Any], error: str) -> None:
    body = {"model": "demo", "messages": [user("hi")], "options": options}
    assert post(engine, "/api/chat", body) == (500, {"error": error})


def test_unknown_options_and_null_are_ignored(engine: Engine) -> None:
    assert chat(engine, user("hi"), mirostat="yes", num_ctx=None)["done"]


def test_a_format_gives_json_that_fits_it(engine: Engine) -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer"}, "names": {"type": "array", "items": {"type": "string"}}},
    }
    shaped = json.loads(chat(engine, user("hi"), format=schema)["message"]["content"])
    assert isinstance(shaped["n"], int)
    assert all(isinstance(name, str) for name in shaped["names"])
    assert isinstance(json.loads(chat(engine, user("hi"), format="json")["message"]["content"]), dict)


def test_a_format_that_is_none_is_refused_in_a_stream_as_well(engine: Engine) -> None:
    status, answer = post(engine, "/api/chat", {"model": "demo", "messages": [user("hi")], "format": "xml"})
    assert status == 500
    assert answer["error"].startswith('invalid format: "xml"')


@pytest.mark.parametrize("messages", ["hi", ["hi"], [{"role": 3}], [{"role": "user", "images": ["%%%"]}]])
def test_messages_that_are_none_are_refused(engine: Engine, messages: Any) -> None:
    assert post(engine, "/api/chat", {"model": "demo", "messages": messages})[0] == 400


def test_a_lone_surrogate_is_no_trouble(engine: Engine) -> None:
    assert "\ufffd" in rendered(engine, user("half \ud83d of it"))


# Counts


@pytest.mark.parametrize(
    ("model", "name"), [("demo", "llama-bpe"), ("demo-vision", "spm"), ("demo-thinking", "qwen2")]
)
def test_the_prompt_count_is_that_of_the_rendered_prompt(engine: Engine, model: str, name: str) -> None:
    messages = [system("Be kind."), user("Grüße, 日本 👩‍💻"), assistant("\n\n  x = 1\n"), user("don't 1234567")]
    text = rendered(engine, *messages, model=model)
    tokens = [*vocabulary(name).beginning, *vocabulary(name).prompt(text)]
    assert chat(engine, *messages, model=model)["prompt_eval_count"] == len(tokens)


def test_what_was_read_before_is_not_evaluated_again(engine: Engine) -> None:
    first = chat(engine, user("hi"))
    grown = [user("hi"), assistant(first["message"]["content"]), user("tokens")]
    second = chat(engine, *grown)
    new = second["prompt_eval_count"] - first["prompt_eval_count"] - (first["eval_count"] - 1)
    assert first["prompt_eval_duration"] == first["prompt_eval_count"] * PER_TOKEN
    assert second["prompt_eval_duration"] == new * PER_TOKEN
    assert chat(engine, *grown)["prompt_eval_duration"] == PER_TOKEN


def test_an_early_change_has_everything_after_it_evaluated_again(engine: Engine) -> None:
    chat(engine, user("first " * 50), assistant("ok"), user("next"))
    changed = chat(engine, user("other " * 50), assistant("ok"), user("next"))
    assert changed["prompt_eval_duration"] > 50 * PER_TOKEN


# Images


def picture(size: int = 640) -> str:
    return base64.b64encode(PNG.replace(struct.pack(">I", 640), struct.pack(">I", size))).decode()


def test_a_picture_costs_its_tokens_and_is_described_by_its_head(engine: Engine) -> None:
    plain = chat(engine, user("look"), model="demo-vision")
    seen = chat(engine, user("look", images=[picture()]), model="demo-vision")
    assert seen["prompt_eval_count"] - plain["prompt_eval_count"] == VISION.image_tokens == 768
    assert "a PNG of 640 × 480 pixels" in seen["message"]["content"]


def test_what_a_picture_costs_can_be_another_figure(engine: Engine) -> None:
    engine.inside.shelf.put(replace(VISION, image_tokens=256))
    plain = chat(engine, user("look"), model="demo-vision")
    seen = chat(engine, user("look", images=[picture()]), model="demo-vision")
    assert seen["prompt_eval_count"] - plain["prompt_eval_count"] == 256


def test_the_cache_tells_pictures_apart(engine: Engine) -> None:
    chat(engine, user("look", images=[picture(1)]), model="demo-vision")
    same = chat(engine, user("look", images=[picture(1)]), model="demo-vision")
    other = chat(engine, user("look", images=[picture(2)]), model="demo-vision")
    assert same["prompt_eval_duration"] == PER_TOKEN
    assert other["prompt_eval_duration"] > 768 * PER_TOKEN


def test_a_model_without_vision_ignores_pictures(engine: Engine) -> None:
    plain = chat(engine, user("look"))
    seen = chat(engine, user("look", images=[picture()]))
    assert seen["prompt_eval_count"] == plain["prompt_eval_count"]
    assert seen["message"] == plain["message"]


# Thinking


def test_thinking_comes_first_and_is_counted(engine: Engine) -> None:
    engine.say(DemoReply("Yes.", thinking="Hm, yes."), DemoReply("Yes.", thinking="Hm, yes."))
    loud = chat(engine, user("so?"), model="demo-thinking")
    silent = chat(engine, user("so?"), model="demo-thinking", think=False)
    assert loud["message"] == {"role": "assistant", "content": "Yes.", "thinking": "Hm, yes."}
    assert silent["message"] == {"role": "assistant", "content": "Yes."}
    assert loud["eval_count"] > silent["eval_count"]


def test_a_wish_to_think_that_is_none_is_refused(engine: Engine) -> None:
    body = {"model": "demo-thinking", "messages": [user("hi")], "think": "a bit"}
    assert post(engine, "/api/chat", body)[0] == 400


# Templates


def test_each_model_writes_a_conversation_down_its_own_way(engine: Engine) -> None:
    said = [system("S"), user("U1"), assistant("A1", thinking="T1"), user("U2")]
    assert rendered(engine, *said) == (
        "<|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nU1<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\nA1<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nU2<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
    )
    assert rendered(engine, *said, model="demo-vision") == (
        "<start_of_turn>system\nS<end_of_turn>\n<start_of_turn>system\nS<end_of_turn>\n"
        "<start_of_turn>user\nU1<end_of_turn>\n<start_of_turn>assistant\nA1<end_of_turn>\n"
        "<start_of_turn>user\nU2<end_of_turn>\n<start_of_turn>assistant\n"
    )
    assert rendered(engine, *said, model="demo-thinking") == (
        "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU1<|im_end|>\n<|im_start|>assistant\nA1<|im_end|>\n"
        "<|im_start|>user\nU2<|im_end|>\n<|im_start|>assistant\n"
    )


def test_neighbours_of_one_role_become_one(engine: Engine) -> None:
    assert "user<|end_header_id|>\n\none\n\ntwo<|eot_id|>" in rendered(engine, user("one"), user("two"))


def test_the_modelfiles_system_prompt_and_messages_come_first(engine: Engine) -> None:
    own = rendered(engine, user("hi"), model="demo-brief")
    assert own.index("one or two sentences") < own.index("What is a token?") < own.index("hi<|eot_id|>")
    mine = rendered(engine, system("Mine."), user("hi"), model="demo-brief")
    assert "one or two sentences" not in mine
    assert mine.index("What is a token?") < mine.index("Mine.")


def test_a_reply_that_stands_last_is_gone_on_with(engine: Engine) -> None:
    whole = chat(engine, user("hi"))["message"]["content"]
    assert rendered(engine, user("hi"), assistant(whole[:40])).endswith(whole[:40])
    assert whole[:40] + chat(engine, user("hi"), assistant(whole[:40]))["message"]["content"] == whole


# One at a time


def test_a_second_request_waits_for_the_first() -> None:
    with Engine(pace=0.02) as engine:
        engine.say("one two three four five six", "seven")
        done: list[str] = []

        def ask() -> None:
            done.append(chat(engine, user("hi"))["message"]["content"])

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert done == ["one two three four five six", "seven"]
