"""Answers to the exercises of notebook 03."""

from tests.notebooks.answers import Answers

BOTH = 'prediction = {"the promise is done": True, "the click is counted": True}'
NEITHER = 'prediction = {"the promise is done": False, "the click is counted": False}'
STORED = 'prediction = {"the promise is done": True, "the click is counted": False}'

EVERYTHING_IS_ZERO = """
def clicks_or_zero(user):
    try:
        return ask(user)
    except HTTPError as error:
        return 0
"""
ALWAYS_RAISES = """
def clicks_or_zero(user):
    try:
        return ask(user)
    except HTTPError as error:
        if error.code == 404:
            raise
        return 0
"""
NOTHING = """
def clicks_or_zero(user):
    try:
        return ask(user)
    except HTTPError as error:
        if error.code != 404:
            raise
"""
TEXT = """
def clicks_or_zero(user):
    try:
        return ask(user)
    except HTTPError as error:
        if error.code == "404":
            return 0
        raise
"""
RAISES_FIRST = """
def clicks_or_zero(user):
    try:
        return ask(user)
    except HTTPError as error:
        if error.code != 404:
            raise
        return 0
"""
RETURNS_FIRST = """
def clicks_or_zero(user):
    try:
        return ask(user)
    except HTTPError as error:
        if error.code == 404:
            return 0
        raise error
"""
MATCHES = """
def clicks_or_zero(user):
    try:
        return ask(user)
    except HTTPError as error:
        match error.code:
            case 404:
                return 0
            case _:
                raise
"""

ANSWERS = {
    1: Answers(
        wrong={
            BOTH: "Which part counts them",
            NEITHER: "Kafka, or a processor?",
            'prediction = {"the promise is done": "yes", "the click is counted": "no"}': (
                "Write True or False"
            ),
            "prediction = True": "its two keys",
        },
        right=(STORED,),
    ),
    2: Answers(
        wrong={
            EVERYTHING_IS_ZERO: "hides other errors",
            ALWAYS_RAISES: "it raised HTTPError 404",
            NOTHING: "the number 0",
            TEXT: "it raised HTTPError 404",
        },
        right=(RAISES_FIRST, RETURNS_FIRST, MATCHES),
    ),
    3: Answers(
        wrong={
            'prediction_of_reads = {"disk": 5_000, "memory": 10_000}': "up to which offset",
            'prediction_of_reads = {"disk": 0, "memory": 5_000}': "older ones too",
            'prediction_of_reads = {"disk": 0, "memory": 0}': "after the view has stopped",
        },
        right=(
            'prediction_of_reads = {"disk": 0, "memory": 10_000}',
            'prediction_of_reads = {"disk": 0, "memory": costs["messages read"]["memory"]}',
            'prediction_of_reads = dict(disk=0, memory=2 * costs["rows"]["disk"])',
        ),
    ),
}
