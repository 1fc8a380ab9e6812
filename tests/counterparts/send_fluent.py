"""Sends records over the Fluent forward protocol. usage: send_fluent.py PORT COUNT WORD [cut]

`cut` sends each record in pieces, as the log driver of Docker does with lines of more than 16 KiB.
"""

import sys
import time

from fluent import sender

PIECE = 16 << 10


def main() -> None:
    port, count, word, is_cut = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], "cut" in sys.argv[4:]
    logger = sender.FluentSender("web", host="127.0.0.1", port=port, nanosecond_precision=True)
    for number in range(count):
        text = f"ERROR {word} number {number}"
        pieces = cut(f"{text} {'x' * 40_000} end", f"{number:064x}") if is_cut else [{"log": text}]
        for piece in pieces:
            task = {"ecs_task_arn": "arn:aws:ecs:eu-central-1:111122223333:task/shop/0123"}
            if not logger.emit_with_time("app", time.time(), {**piece, "container_name": "/web", **task}):
                raise SystemExit(f"record {number} was not sent: {logger.last_error}")
    logger.close()


def cut(text: str, name: str) -> list[dict]:
    pieces = [text[at : at + PIECE] for at in range(0, len(text), PIECE)]
    return [
        {
            "log": piece,
            "partial_message": "true",
            "partial_id": name,
            "partial_ordinal": str(nth),
            "partial_last": "true" if nth == len(pieces) else "false",
        }
        for nth, piece in enumerate(pieces, 1)
    ]


main()
