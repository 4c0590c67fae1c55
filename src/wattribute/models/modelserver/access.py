"""Who may read and who may post."""

from pathlib import Path

from wattribute.http.tokens import matches, token_in


class Access:
    """Reading is open on loopback, or when told so; posting always needs a token."""

    def __init__(
        self, write_token: Path | None, read_token: Path | None, *, open_reads: bool
    ) -> None:
        """Check the files.

        Args:
            write_token: for posting, and for reading; None: nobody may post.
            read_token: for reading alone; None: the other one.
            open_reads: reading needs no token.

        Raises:
            ConfigInvalid: a file cannot be read, or has no good token.
        """
        self._write, self._read, self._open = write_token, read_token, open_reads
        for path in (write_token, read_token):
            if path is not None:
                token_in(path)

    @property
    def takes_posts(self) -> bool:
        """Whether anybody may post."""
        return self._write is not None

    def may_read(self, authorization: str) -> bool:
        """Whether this header's token lets one read."""
        return self._open or any(matches(p, authorization) for p in (self._read, self._write))

    def may_post(self, authorization: str) -> bool:
        """Whether this header's token lets one post."""
        return matches(self._write, authorization)
