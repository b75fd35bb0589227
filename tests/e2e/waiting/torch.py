"""In torch's place where it is not the subject: to import the real one costs more than the test.

The torch process is there, and waits as long as it is left to.
"""

from threading import Event

Event().wait()
