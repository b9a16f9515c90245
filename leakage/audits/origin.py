"""Where an audit comes from: when it was made, of which folders, how to make it again."""

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import file_digest, sha256
from pathlib import Path

from leakage.pictures.surveys import files_below


@dataclass(frozen=True)
class Folder:
    """A folder as it was when it was read.

    Attributes
    ----------
    role : str
        ``"plain"`` or ``"cipher"``.
    name : str
        As it was given.
    files : int
        How many pictures are in it.
    digest : str
        SHA-256 of the list of its pictures, name and SHA-256 of the content of each.
    """

    role: str
    name: str
    files: int
    digest: str

    @classmethod
    def of(cls, role: str, name: str | Path) -> "Folder":
        """The folder as it is now.

        Examples
        --------
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as name:
        ...     Folder.of("plain", name).files
        0
        """
        folder = Path(name).expanduser()
        paths = sorted(files_below(folder)[0])
        listing = sha256()
        for path in paths:
            with path.open("rb") as file:
                content = file_digest(file, "sha256").hexdigest()
            where = path.relative_to(folder).as_posix().encode("utf8", "surrogateescape")
            listing.update(where + f"\0{content}\n".encode())
        return cls(role, str(name), len(paths), listing.hexdigest())


@dataclass(frozen=True)
class Origin:
    """Where an audit comes from.

    Attributes
    ----------
    title : str
        What its maker calls it; empty if nothing.
    made : str
        Date and time, in UTC.
    command : str
        What makes it again; empty where arrays were given that only their maker has.
    folders : tuple of Folder
        That were read.
    read_as : str
        What was taken of the files.
    remarks : tuple of str
        What a reader should bear in mind.
    """

    title: str = ""
    made: str = ""
    command: str = ""
    folders: tuple[Folder, ...] = ()
    read_as: str = ""
    remarks: tuple[str, ...] = ()


def folders_of(plain: object, cipher: object) -> tuple[Folder, ...]:
    """Both folders of pairs as they are now; none where arrays were given.

    Examples
    --------
    >>> folders_of(None, None)
    ()
    """
    sides = {"plain": plain, "cipher": cipher}
    return tuple(
        Folder.of(role, side) for role, side in sides.items() if isinstance(side, str | Path)
    )


def now() -> str:
    """Date and time in UTC, to the second.

    Examples
    --------
    >>> now().endswith("Z"), len(now())
    (True, 20)
    """
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
