"""``wattribute demo``: a month to try the statement commands on."""

from pathlib import Path
from typing import Final

import click

from wattribute.core.errors import ConfigInvalid

_SEED: Final = 20_261_001
_SETTINGS: Final = """\
# Settings of the demo. Commands read this file when told: --config wattribute.yaml
ledger:
  path: ledger
ownership:
  rules:
    - {when: {"label:team": "*?"}, team: "{label:team}"}
    - {when: {namespace: kube-system}, team: platform}
    - when: {"label:app": marketing-ai-bot}
      product: Marketing AI Bot
      cost_center: "4100"
    - when: {"label:app": customer-support-bot}
      product: Customer Support Bot
      cost_center: "4200"
    - {when: {cluster: demo}, environment: production}
"""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("wattribute-demo"))
@click.option(
    "--seed",
    default=_SEED,
    show_default=True,
    help="Seed of the random numbers: another seed gives another month.",
)
def demo(*, folder: Path, seed: int) -> int:
    r"""Write a month of example data to FOLDER, which must be new or empty.

    October 2026: six nodes, a Marketing AI Bot and a Customer Support Bot on GPUs and CPUs, the
    cluster's own pods, one pod without owner, and nodes whose power is estimated. The folder has
    the ledger and the matching bill in FOCUS format, with 50,000 USD for EC2.

    \b
    Example:
      wattribute demo && cd wattribute-demo
      wattribute ledger show --by label:app --month 2026-10
    """
    from wattribute.cli.extras import needs

    with needs("chargeback"):
        from wattribute.accounting.demo.bill import write_bill
        from wattribute.accounting.demo.energy import write_ledger
        from wattribute.accounting.ledger.store import Store
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigInvalid(
            f"{folder}: this folder is not empty. Name a folder that is new or empty."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "wattribute.yaml").write_text(_SETTINGS, encoding="utf-8")
    except OSError as exc:
        raise ConfigInvalid(f"{folder}: cannot write there: {exc.strerror}") from exc
    entries = write_ledger(Store.at(str(folder / "ledger")), seed)
    charges = write_bill(folder / "focus.parquet")
    click.echo(f"{folder}: a ledger of {entries:,} entries, and a bill of {charges:,} charges")
    click.echo(
        f"Next:\n  cd {folder}\n"
        "  wattribute ledger show --by label:app --month 2026-10\n"
        "  wattribute statement --bill focus.parquet --by label:app --month 2026-10"
    )
    return 0
