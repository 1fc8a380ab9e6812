"""Sends records over the Fluent forward protocol. usage: send_fluent.py PORT COUNT WORD"""

import sys
import time

from fluent import sender


def main() -> None:
    port, count, word = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    logger = sender.FluentSender("web", host="127.0.0.1", port=port, nanosecond_precision=True)
    for number in range(count):
        task = {"ecs_task_arn": "arn:aws:ecs:eu-central-1:111122223333:task/shop/0123"}
        record = {"log": f"ERROR {word} number {number}", "container_name": "/web", **task}
        if not logger.emit_with_time("app", time.time(), record):
            raise SystemExit(f"record {number} was not sent: {logger.last_error}")
    logger.close()


main()
