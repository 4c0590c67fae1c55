"""Models from a model server: fetched by a thread, believed only when pinned, kept on disk.

No tick waits for it. What cannot be used is said once, and the last good one stays: the one in use,
after a restart the cached one, and before there was any the shipped one.
"""

import logging
import random
import threading
from collections.abc import Callable
from dataclasses import asdict
from hashlib import sha256
from typing import Final
from urllib.parse import urlencode

from wattribute.core.errors import ConfigInvalid, ModelInvalid, SourceFailed
from wattribute.core.records import Load, Machine
from wattribute.core.units import DAY_S, HOUR_S, Nanoseconds
from wattribute.http.answer import Answer
from wattribute.http.client import HttpClient, Keys
from wattribute.http.tokens import secret_in
from wattribute.node.estimates.machine_model import MachineModel
from wattribute.node.estimates.model_cache import ModelCache, ModelPin
from wattribute.node.estimates.power_model import cached_path, estimator_maker
from wattribute.node.estimator.artefact import Artefact
from wattribute.node.estimator.model import ArtefactEstimator
from wattribute.node.settings import EstimatorSettings, NodeSettings

_LOG: Final = logging.getLogger(__name__)
_FIRST_PAUSE_S: Final = 5.0
_LONGEST_PAUSE_S: Final = HOUR_S
_SILENCE_S: Final = 10.0
CLOSE_S: Final = 2.0
"""Closing waits no longer than this for a request that is under way."""
_KEYS: Final = Keys("estimator.model_server", "estimator.model_server_ca_file")


class ModelUpdates:
    """Asks at once, then daily; after a failure sooner, and then less and less often."""

    def __init__(
        self,
        room: EstimatorSettings,
        cache: ModelCache,
        machine: Callable[[], Machine],
        estimator: Callable[[Artefact], ArtefactEstimator],
    ) -> None:
        """Start to ask.

        Args:
            room: which server, and what pins its answers.
            cache: what was fetched before, and is in use.
            machine: what to ask for.
            estimator: of an artefact, with all that the settings say of this machine.

        Raises:
            ConfigInvalid: the URL or the pin is wrong.
        """
        self._pin = ModelPin(room)
        url = room.model_server
        self._client = HttpClient(
            url if "://" in url else f"https://{url}", _KEYS, ca_file=room.model_server_ca_file
        )
        self._token_file = room.model_server_token_file
        self._cache, self._machine, self._estimator = cache, machine, estimator
        cached = cache.load(self._pin)
        self._digest = sha256(cached[0]).hexdigest() if cached else ""
        self._problem = ""
        self._news: ArtefactEstimator | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="model-server", daemon=True)
        self._thread.start()

    def news(self) -> ArtefactEstimator | None:
        """The newest model, once."""
        newest, self._news = self._news, None
        return newest

    def close(self) -> None:
        """Stop asking the model server."""
        self._stop.set()
        self._client.interrupt()
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            try:
                self._ask()
            except (ModelInvalid, SourceFailed) as exc:
                failures += 1
                self._fail(str(exc))
            except Exception as exc:  # noqa: BLE001 - our bug must not end the updates
                failures += 1
                self._fail(f"{type(exc).__name__} in our own code: {exc}")
            else:
                failures, self._problem = 0, ""
            pause_s = DAY_S
            if failures:
                pause_s = min(_FIRST_PAUSE_S * 2 ** min(failures - 1, 16), _LONGEST_PAUSE_S)
            # a fleet that was started at one instant does not come back at one
            self._stop.wait(pause_s * random.uniform(0.8, 1.2))  # noqa: S311 - spreads load
        self._client.close()

    def _fail(self, problem: str) -> None:
        if problem != self._problem and not self._stop.is_set():
            _LOG.warning("model server: %s; the model in use stays, and it is asked again", problem)
        self._problem = problem

    def _ask(self) -> None:
        """Fetch what is new, if anything is.

        Raises:
            SourceFailed: no whole answer.
            ModelInvalid: an answer that cannot be used.
        """
        if self._pin.sha256:
            if self._digest == self._pin.sha256:
                return  # nothing else would be believed
            path = f"/api/v1/models/{self._pin.sha256}"
        else:
            facts = {key: value for key, value in asdict(self._machine()).items() if value}
            path = f"/api/v1/model?{urlencode(facts)}"
        answer = self._get(path)
        if answer.status == 304:
            return
        data, where = answer.body, f"{self._client.url}{path.partition('?')[0]}"
        digest = sha256(data).hexdigest()
        signature = b""
        if self._pin.public_key:
            signature = self._get(f"/api/v1/models/{digest}.sig").body
        artefact = self._pin.believed(data, signature, where)
        estimator = self._estimator(artefact)
        estimator.predict(
            self._machine(), Load(Nanoseconds(0), 0.0)
        )  # computed here, not in a tick
        self._cache.save(data, signature)
        self._digest, self._news = digest, estimator
        _LOG.info("estimates are by %s from now on (SHA-256 %s)", estimator.name, digest)

    def _get(self, path: str) -> Answer:
        headers = {"If-None-Match": f'"{self._digest}"'} if self._digest else {}
        if self._token_file:
            try:
                token = secret_in(self._token_file, "estimator.model_server_token_file")
            except ConfigInvalid as exc:
                raise ModelInvalid(str(exc)) from exc
            headers["Authorization"] = f"Bearer {token}"
        answer = self._client.request("GET", path, headers, silence_s=_SILENCE_S)
        if answer.status not in (200, 304):
            text = answer.body[:200].decode("ascii", "replace").strip()
            text = text if text.isprintable() else ""
            hint = "; see estimator.model_server_token_file" if answer.status == 401 else ""
            raise ModelInvalid(
                f"{self._client.url}{path.partition('?')[0]}: answer {answer.status} {text}{hint}"
            )
        return answer


def open_updates(settings: NodeSettings, model: MachineModel) -> ModelUpdates:
    """Ask the settings' model server for newer models of the machine that a model is of.

    Raises:
        ConfigInvalid: as `ModelUpdates`.
    """
    room = settings.estimator
    return ModelUpdates(
        room,
        ModelCache(cached_path(settings)),
        lambda: model.machine,
        estimator_maker(room, model.machine),
    )
