"""What the notebooks of the course share.

lesson = Lesson("05")              names of this run's own; ends what an earlier run started
lesson.check(1, answer, found=…)   judges an exercise in a box that gives hints
lesson.stop_button(cluster)        a button that stops everything in this kernel
wait_until("what", condition)      waits for what other threads and programs do
Program("-m", "clicklib", "demo")  a program beside this kernel; it ends with the kernel
free_port(9095)                    that port, or another one where it is taken
Victim(cluster, stream, group)     a processor beside this kernel, to be frozen and killed
StepByStep(cluster, "name")        a processor under the buttons of a debugger: step, run, kill
kill_broker(cluster, 2)            kills a broker of the local Kafka, which is started again
Timeline()                         notes when clicks are counted, as a view sees them
Way()                              the exercises that were solved, and the next notebook
share("Anna")                      shows the class what Anna solves; keep_private() ends it
ClassProgress(cluster)             who has solved what, of those who share it
"""

from clicklib.errors import needing

with needing("clicklib.lessons"):
    from clicklib.lessons.brokers import kill_broker
    from clicklib.lessons.course import Way
    from clicklib.lessons.lesson import Lesson
    from clicklib.lessons.ports import free_port
    from clicklib.lessons.programs import Program
    from clicklib.lessons.sharing import ClassProgress, keep_private, share
    from clicklib.lessons.step_by_step import StepByStep
    from clicklib.lessons.stopping import stop_everything
    from clicklib.lessons.timeline import Timeline
    from clicklib.lessons.victim import Victim
    from clicklib.lessons.waiting import wait_until

__all__ = [
    "ClassProgress",
    "Lesson",
    "Program",
    "StepByStep",
    "Timeline",
    "Victim",
    "Way",
    "free_port",
    "keep_private",
    "kill_broker",
    "share",
    "stop_everything",
    "wait_until",
]
