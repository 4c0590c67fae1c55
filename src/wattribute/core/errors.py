"""The errors that this package raises on purpose, named for what the caller does next.

* WattributeError
  + MeterError           a hardware backend could not give readings
    - MeterAbsent        this machine has no such hardware: say it once, go on
    - MeterDenied        it has, and we may not read it: warn, name what is missing
    - MeterFailed        one read failed: count it, try again next tick
    - MeterGone          it was there and has vanished: stop reading it, export `up 0`
  + ActivityError        a source of "who ran" could not be used
    - ActivityAbsent     this kernel or machine cannot do it: say it once, use the next source
    - ActivityDenied     it can, and we may not: warn, name the missing capability
    - ActivityFailed     one read failed: count it, try again next tick
  + IdentityError        a source of names could not be asked
    - IdentityDenied     it may not be asked by us: warn, name the missing right, try again later
    - IdentityExpired    the place where the watch stood is no longer known: list again
    - IdentityFailed     one request failed: count it, try again
  + IntensityError       a source of carbon intensity could not be used
    - IntensityAbsent    it does not know the place or the time: use the next source
    - IntensityDenied    it refuses us: warn, name the token, use the next source
    - IntensityFailed    one request failed: use what is cached or the next, marked stale
  + ConfigInvalid        settings are wrong: before anything starts, exit 2
  + StateInvalid         the state file cannot be used: say why, start from 0
  + ModelInvalid         a model artefact cannot be used: say why, keep the last good one
  + DataInvalid          measured data cannot be read: name the file and what it lacks
  + SourceFailed         a service that was asked (Prometheus, ...) did not answer as it should
    - SourceDenied       it does not let us ask, or we do not trust it: name what is missing
    - SourceLimited      it will not answer so much at once: ask for less
    - SourceInterrupted  its answer broke off: ask again
  + LedgerFailed         the ledger cannot be read or written: it is as it was
  + ListenFailed         the address cannot be listened on: exit 5
  + Unbalanced           shares do not add up: our bug, never swallowed, never exported

A message says what was tried, on what, and what would fix it.
"""


class WattributeError(Exception):
    """The base class of our errors. Catch it only at the top of a program."""


class MeterError(WattributeError):
    """A hardware backend could not give readings."""


class MeterAbsent(MeterError):  # noqa: N818 - named for the state, as in the design
    """This machine has no such hardware."""


class MeterDenied(MeterError):  # noqa: N818
    """The hardware is there, and this process may not read it."""


class MeterFailed(MeterError):  # noqa: N818
    """One read failed; the next may work."""


class MeterGone(MeterError):  # noqa: N818
    """The hardware was there, and has vanished."""


class ActivityError(WattributeError):
    """A source of activity (who ran) could not be used."""


class ActivityAbsent(ActivityError):  # noqa: N818
    """This kernel or machine does not offer the source."""


class ActivityDenied(ActivityError):  # noqa: N818
    """The source is there, and this process may not use it."""


class ActivityFailed(ActivityError):  # noqa: N818
    """One read failed; the next may work."""


class IdentityError(WattributeError):
    """A source of names could not be asked."""

    def __init__(self, message: str, retry_s: float = 0.0) -> None:
        """Keep how many seconds to wait before the source is asked again; 0 is no wait."""
        super().__init__(message)
        self.retry_s = retry_s


class IdentityDenied(IdentityError):  # noqa: N818
    """The source is there, and this process may not ask it."""


class IdentityExpired(IdentityError):  # noqa: N818
    """The source has forgotten what came after the state that is known here."""


class IdentityFailed(IdentityError):  # noqa: N818
    """One request failed; the next may work."""


class IntensityError(WattributeError):
    """A source of carbon intensity could not be used."""


class IntensityAbsent(IntensityError):  # noqa: N818
    """The source does not know the place, or the time."""


class IntensityDenied(IntensityError):  # noqa: N818
    """The source is there, and refuses us."""


class IntensityFailed(IntensityError):  # noqa: N818
    """One request failed; the next may work."""


class ConfigInvalid(WattributeError):  # noqa: N818
    """The settings are wrong."""


class StateInvalid(WattributeError):  # noqa: N818
    """The state file cannot be used."""


class ModelInvalid(WattributeError):  # noqa: N818
    """The model artefact cannot be used."""


class DataInvalid(WattributeError):  # noqa: N818
    """The measured data cannot be used."""


class SourceFailed(WattributeError):  # noqa: N818
    """A service did not answer as it should."""


class SourceDenied(SourceFailed):
    """The service does not let us ask, or its certificate is not trusted."""


class SourceLimited(SourceFailed):
    """The service will not answer so much at once."""


class SourceInterrupted(SourceFailed):
    """The connection to the service broke while its answer came in."""


class LedgerFailed(WattributeError):  # noqa: N818
    """The ledger cannot be read or written; it is as it was."""


class ListenFailed(WattributeError):  # noqa: N818
    """The address cannot be listened on."""


class Unbalanced(WattributeError):  # noqa: N818
    """Shares do not add up to the energy that was measured."""
