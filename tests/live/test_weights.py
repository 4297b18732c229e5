"""A validator's weights, through bittensor's SDK on a simulated chain, by a real repository."""

import asyncio
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import bittensor
import pytest
from bittensor.keyfiles import Keyfile

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.files import MalformedFile
from gen404_assets.live.outside import Outside
from gen404_assets.live.weights import RECORD, Outcome, give_weights
from resources.chain.endpoints import Endpoint, Endpoints
from resources.chain.local import LocalChain, create_local_chain, local_keypair
from resources.chain.subtensor import SubtensorChain
from resources.settings import BadSetting
from simulators.validator_chain import ValidatorSubstrate

GENESIS = datetime(2026, 1, 5, tzinfo=UTC)
OWNER, MINER, VALIDATOR = (local_keypair(name) for name in ("owner", "miner", "validator"))


def leader(block: int, weight: float, hotkey: str = str(MINER.ss58_address)) -> dict[str, Any]:
    return {
        "hotkey": hotkey,
        "repo": "a/b",
        "commit": "0" * 40,
        "docker": "image",
        "weight": weight,
        "effective_block": block,
    }


@dataclass
class Validator:
    """One with a wallet, a clone of the competition, and a chain on which uid 0 is the owner's."""

    folder: Path
    substrate: type[ValidatorSubstrate]

    @property
    def repository(self) -> Path:
        return self.folder / "competition"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "COMPETITION_REPO": str(self.repository),
            "NETUID": "17",
            "WALLET_PATH": str(self.folder / "wallets"),
            "SUBNET_OWNER_UID": "0",
        }

    def git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.repository), "-c", "user.name=x", "-c", "user.email=x@x.x"]
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=True)
        return done.stdout

    def commit(self, *entries: dict[str, Any], raw: str | None = None) -> str:
        (self.repository / "leader.json").write_text(raw or json.dumps(entries))
        self.git("add", "leader.json")
        self.git("commit", "-qm", "leader", "--allow-empty")
        return self.git("rev-parse", "HEAD").strip()

    def open_chain(self) -> SubtensorChain:
        local = LocalChain(self.folder / "chain")

        def connect() -> bittensor.Substrate:
            return cast("bittensor.Substrate", self.substrate(local))

        return SubtensorChain("local", 17, connect)

    def advance(self, blocks: int) -> None:
        LocalChain(self.folder / "chain").stand(blocks)

    def give(self, *, now: bool = False, **settings: str) -> Outcome:
        outside, chain = Outside(self.environment | settings), self.open_chain()
        try:
            return give_weights(outside, chain, self.folder / "home", now=now)
        finally:
            chain.close()
            outside.close()

    def on_chain(self) -> dict[int, dict[int, float]]:
        chain = self.open_chain()

        async def read(client: bittensor.Client, _: object) -> dict[int, dict[int, float]]:
            rows = await client.query_map(("SubtensorModule", "Weights"), [17])
            return {
                uid: {to: value / sum(each for _, each in row) for to, value in row}
                for uid, row in rows
            }

        try:
            return chain.ask("the weights", read)
        finally:
            chain.close()


@pytest.fixture
def validator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Validator]:
    monkeypatch.setenv("BITTENSOR_RUNTIME_CACHE_DIR", str(tmp_path / "runtime-cache"))
    monkeypatch.setenv("GEN404_HOME", str(tmp_path / "home"))
    create_local_chain(tmp_path / "chain", block_time=1, genesis_time=GENESIS, genesis_number=1000)

    class Substrate(ValidatorSubstrate):
        """One test's."""

    made = Validator(tmp_path, Substrate)
    (tmp_path / "competition").mkdir()
    made.git("init", "-q", "-b", "main")
    hotkeys = tmp_path / "wallets" / "default" / "hotkeys"
    hotkeys.mkdir(parents=True)
    Keyfile(hotkeys / "default", "default").set_keypair(VALIDATOR, encrypt=False)
    asyncio.run(register(Substrate(LocalChain(tmp_path / "chain"))))
    yield made


async def register(substrate: ValidatorSubstrate) -> None:
    for keypair in (OWNER, MINER, VALIDATOR):
        call = await substrate.compose(
            (
                "SubtensorModule",
                "burned_register",
                {"netuid": 17, "hotkey": keypair.ss58_address},
            )
        )
        await substrate.submit(call, keypair)


def test_the_leaders_weight_is_set_and_read_back(validator: Validator) -> None:
    validator.commit(leader(10, 0.75))
    outcome = validator.give()
    assert outcome.weights == {1: 0.75, 0: 0.25}
    assert validator.on_chain() == {2: pytest.approx({1: 0.75, 0: 0.25}, abs=1e-4)}
    assert "uid 1: 0.75, uid 0: 0.25, set and read back at block" in outcome.text()


def test_the_same_is_set_again_after_half_an_hour_or_when_asked_for(validator: Validator) -> None:
    validator.commit(leader(10, 0.75))
    assert validator.give().placed is not None
    assert validator.give().text().startswith("no weights set: set at block")
    assert validator.give(now=True).placed is not None
    validator.advance(150)
    assert validator.give().placed is not None


def test_a_new_leader_is_waited_for_and_then_set_at_once(validator: Validator) -> None:
    validator.commit(leader(10, 0.75), leader(1120, 1.0, str(VALIDATOR.ss58_address)))
    for now in (False, True):
        assert "the leader's entry changes at block 1120" in validator.give(now=now).why_not
    validator.advance(120)
    assert validator.give().weights == {2: 1.0}


def test_weights_that_the_chain_hides_are_read_back_as_a_commit(validator: Validator) -> None:
    validator.substrate.hidden = True
    validator.commit(leader(10, 0.75))
    outcome = validator.give()
    assert outcome.placed is not None
    assert outcome.placed.hidden
    assert "committed, and revealed by the chain later" in outcome.text()
    assert [entry[0] for entry in validator.substrate.committed] == [VALIDATOR.ss58_address]


@pytest.mark.parametrize("hidden", [False, True])
def test_what_the_chain_says_and_does_not_hold_is_no_success(
    validator: Validator, hidden: bool
) -> None:
    validator.substrate.hidden, validator.substrate.forgets = hidden, True
    validator.commit(leader(10, 0.75))
    with pytest.raises(InfrastructureFault, match="the chain holds"):
        validator.give()
    validator.substrate.forgets = False
    assert validator.give().placed is not None  # nothing was recorded as done


def test_a_refusal_of_the_chain_is_said_in_its_words(validator: Validator) -> None:
    validator.substrate.refuses = "NotEnoughStakeToSetWeights"
    validator.commit(leader(10, 0.75))
    with pytest.raises(InfrastructureFault, match="NotEnoughStakeToSetWeights"):
        validator.give()


@pytest.mark.parametrize(
    "raw",
    [
        "[",
        "{}",
        json.dumps([leader(10, 1.5)]),
        json.dumps([leader(10, 1), leader(10, 1)]),
        json.dumps([leader(-1, 1)]),
        '[{"hotkey": "x", "weight": NaN}]',
    ],
)
def test_nothing_is_set_from_an_illegal_leader_file(validator: Validator, raw: str) -> None:
    validator.commit(raw=raw)
    with pytest.raises(MalformedFile, match=r"leader\.json"):
        validator.give()
    assert validator.on_chain() == {}


def test_nothing_is_set_from_a_repository_without_the_file(validator: Validator) -> None:
    validator.git("commit", "-qm", "nothing", "--allow-empty")
    with pytest.raises(MalformedFile, match="the file is missing"):
        validator.give()


def test_nothing_is_set_from_an_unsigned_head_where_signing_is_asked_for(
    validator: Validator,
) -> None:
    key = validator.folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    signers = validator.folder / "signers"
    signers.write_text(f"somebody {key.with_suffix('.pub').read_text()}")
    validator.commit(leader(10, 0.75))
    with pytest.raises(InfrastructureFault, match="it isn't signed"):
        validator.give(COMMIT_SIGNERS_FILE=str(signers))
    assert validator.on_chain() == {}


def test_nothing_is_set_from_an_old_copy_or_a_rewritten_history(validator: Validator) -> None:
    before = validator.commit(leader(10, 0.75))
    after = validator.commit(leader(10, 0.75), leader(900, 1.0))
    assert validator.give().placed is not None
    validator.git("reset", "-q", "--hard", before)
    with pytest.raises(InfrastructureFault, match=f"doesn't follow {after[:7]}.* an old copy"):
        validator.give(now=True)
    (validator.folder / "home" / RECORD).unlink()
    assert validator.give().weights == {1: 0.75, 0: 0.25}


def test_nothing_is_set_from_a_file_that_has_lost_what_was_acted_on(validator: Validator) -> None:
    validator.commit(leader(10, 0.75), leader(900, 1.0))
    assert validator.give().placed is not None
    validator.commit(leader(10, 0.75))
    with pytest.raises(InfrastructureFault, match=r"lost the entry of block 900.*remove .*weights"):
        validator.give(now=True)


def test_nothing_is_set_by_a_node_that_lags(validator: Validator) -> None:
    validator.commit(leader(10, 0.75))
    later = datetime.now(UTC) + timedelta(days=900)
    nodes = Endpoints([Endpoint("node", validator.open_chain())], 300, lambda: later)
    with pytest.raises(InfrastructureFault, match="the node node lags"):
        give_weights(Outside(validator.environment), nodes, validator.folder / "home")
    assert validator.on_chain() == {}


def test_a_wallet_that_is_missing_or_locked_is_a_bad_setting(validator: Validator) -> None:
    validator.commit(leader(10, 0.75))
    with pytest.raises(BadSetting, match="no readable key"):
        validator.give(WALLET_HOTKEY="another")
    locked = Keyfile(validator.folder / "wallets" / "default" / "hotkeys" / "locked", "locked")
    locked.set_keypair(VALIDATOR, encrypt=True, password="a Long passw0rd!")
    with pytest.raises(BadSetting, match="its password is read from BT_PW_"):
        validator.give(WALLET_HOTKEY="locked")


def test_a_miner_that_is_not_registered_leaves_all_to_the_owner(validator: Validator) -> None:
    stranger = str(local_keypair("stranger").ss58_address)
    validator.commit(leader(10, 0.75, stranger))
    assert validator.give().weights == {0: 1.0}


def test_a_spoilt_record_is_set_aside_and_weights_are_set(validator: Validator) -> None:
    validator.commit(leader(10, 0.75))
    record = validator.folder / "home" / RECORD
    record.parent.mkdir(exist_ok=True)
    record.write_text("{")
    assert validator.give().placed is not None
    assert json.loads(record.read_text())["entry"]["weight"] == 0.75
