//! What was read, and what was not and why. "Clean" means read.

use crate::origin::Origin;

/// Why something was not read. The word is what `--accept-skip` takes and what every report shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// The system refused to open or list it.
    PermissionDenied,
    /// It was there when the directory was listed and gone when it was opened.
    Vanished,
    /// It became shorter while it was read; what was there was searched.
    Shrank,
    /// A symbolic link that leads nowhere.
    BrokenSymlink,
    /// Symbolic links that lead to each other in a circle.
    SymlinkLoop,
    /// A symbolic link that leads out of the target; it is not followed.
    SymlinkOutside,
    /// A FIFO, socket or device inside a directory; reading it could block or never end.
    SpecialFile,
    /// Larger than `--max-size`, or a git object that cannot be rebuilt within `--memory`.
    TooLarge,
    /// A git object that another one needs and that no object store has.
    MissingObject,
    /// A submodule whose commit is in no repository that was read: it was not cloned, or not brought up to date.
    MissingSubmodule,
    /// Contents that Git LFS keeps beside the repository, and that were not fetched.
    MissingLfs,
    /// A git object that cannot be decoded: its size, compression, delta or type is a lie.
    CorruptObject,
    /// A git pack or its index that cannot be trusted: truncated, of another pack, out of order.
    CorruptPack,
    /// A git pack without an index, or what an interrupted git command left behind.
    Unfinished,
    /// A partial clone: the server kept objects back, and which ones is not written down.
    PartialClone,
    /// A shallow clone: the server kept older commits back.
    ShallowClone,
    /// A format that this version does not read.
    Unsupported,
    /// Something compressed that is broken or cut off; what could be read of it was searched.
    CorruptArchive,
    /// An archive that has a password.
    Encrypted,
    /// Something compressed that expands without end.
    Bomb,
    /// Something encoded or compressed in a text that is too large when it is decoded; what could be decoded was searched.
    DecodeLimit,
    /// A way of compressing that this version does not read.
    UnknownPacking,
    /// A provider did not give it, or not to its end: no connection, an error of the provider's, something else in its place.
    NotFetched,
    /// The provider no longer has it, or never had it.
    Expired,
    /// A CI run that has not ended; its log grows.
    StillRunning,
    /// Any other input or output error.
    ReadError,
    /// The search itself failed on this object (a bug of ours: please report it).
    Panicked,
    /// The run was interrupted before this was read.
    Interrupted,
}

impl Why {
    /// Every reason, in the order in which help texts list them.
    pub const ALL: &'static [Why] = &[
        Why::PermissionDenied,
        Why::Vanished,
        Why::Shrank,
        Why::BrokenSymlink,
        Why::SymlinkLoop,
        Why::SymlinkOutside,
        Why::SpecialFile,
        Why::TooLarge,
        Why::MissingObject,
        Why::MissingSubmodule,
        Why::MissingLfs,
        Why::CorruptObject,
        Why::CorruptPack,
        Why::Unfinished,
        Why::PartialClone,
        Why::ShallowClone,
        Why::Unsupported,
        Why::CorruptArchive,
        Why::Encrypted,
        Why::Bomb,
        Why::DecodeLimit,
        Why::UnknownPacking,
        Why::NotFetched,
        Why::Expired,
        Why::StillRunning,
        Why::ReadError,
        Why::Panicked,
        Why::Interrupted,
    ];

    /// The name `--accept-skip` takes.
    pub fn as_str(self) -> &'static str {
        match self {
            Why::PermissionDenied => "permission-denied",
            Why::Vanished => "vanished",
            Why::Shrank => "shrank",
            Why::BrokenSymlink => "broken-symlink",
            Why::SymlinkLoop => "symlink-loop",
            Why::SymlinkOutside => "symlink-outside",
            Why::SpecialFile => "special-file",
            Why::TooLarge => "too-large",
            Why::MissingObject => "missing-object",
            Why::MissingSubmodule => "missing-submodule",
            Why::MissingLfs => "missing-lfs",
            Why::CorruptObject => "corrupt-object",
            Why::CorruptPack => "corrupt-pack",
            Why::Unfinished => "unfinished",
            Why::PartialClone => "partial-clone",
            Why::ShallowClone => "shallow-clone",
            Why::Unsupported => "unsupported",
            Why::CorruptArchive => "corrupt-archive",
            Why::Encrypted => "encrypted",
            Why::Bomb => "bomb",
            Why::DecodeLimit => "decode-limit",
            Why::UnknownPacking => "unknown-packing",
            Why::NotFetched => "not-fetched",
            Why::Expired => "expired",
            Why::StillRunning => "still-running",
            Why::ReadError => "read-error",
            Why::Panicked => "panicked",
            Why::Interrupted => "interrupted",
        }
    }

    /// What a person can do about it.
    pub fn advice(self) -> &'static str {
        match self {
            Why::PermissionDenied => "run as a user who may read it, or leave it out with --exclude",
            Why::Vanished => "scan again when nothing writes to the tree",
            Why::Shrank => "scan again when nothing writes to the file",
            Why::BrokenSymlink => "remove the link or restore what it points to",
            Why::SymlinkLoop => "remove one of the links of the circle",
            Why::SymlinkOutside => "name what it points to as a target of its own",
            Why::SpecialFile => "name it as a target of its own to read it as a stream",
            Why::TooLarge => "raise or drop --max-size; for a git object raise --memory",
            Why::MissingObject => "fetch the object again, or restore the store that the repository borrows from",
            Why::MissingSubmodule => {
                "run `git submodule update --init --recursive` and `git submodule absorbgitdirs`, then scan again"
            }
            Why::MissingLfs => "run `git lfs fetch --all`, then scan again",
            Why::CorruptObject => "run `git fsck`, then fetch the object again from another clone",
            Why::CorruptPack => "run `git fsck`, then `git index-pack` on the pack or fetch it again",
            Why::Unfinished => {
                "run `git gc --prune=now` when no git command is at work, or `git index-pack` on the pack"
            }
            Why::PartialClone => "scan a full clone: `git fetch --refetch --no-filter`",
            Why::ShallowClone => "scan a full clone: `git fetch --unshallow`",
            Why::Unsupported => "let git rewrite it (`git repack -adf`), or scan a clone of it",
            Why::CorruptArchive => "fetch it again",
            Why::Encrypted => "decrypt it and scan what is in it",
            Why::Bomb => "unpack a part of it and scan that",
            Why::DecodeLimit => "decode it and scan what comes out",
            Why::UnknownPacking => "unpack it and scan what is in it",
            Why::NotFetched => "run the same command again; with --state only what is missing is read",
            Why::Expired => "it can be read no more; revoke what it may have shown, and scan sooner (--since)",
            Why::StillRunning => "run the same command again when the run has ended",
            Why::ReadError => "check the disk or file system, then scan again",
            Why::Panicked => "please report this as a bug of stanch",
            Why::Interrupted => "run the scan again to its end",
        }
    }
}

/// Something that was not read, or not to its end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skip {
    /// What was not read.
    pub origin: Origin,
    /// Why, in one of a fixed set of words.
    pub why: Why,
    /// What the system said, for people. Never holds content that was read.
    pub detail: String,
}

/// The account of a run: what was read, and what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Files read to their end.
    pub files: u64,
    /// Streams read to their end.
    pub streams: u64,
    /// Objects of git repositories read to their end.
    pub objects: u64,
    /// Bytes searched, as the objects hold them (a margin read twice counts once).
    pub bytes: u64,
    /// Files and directories left out because the user said so (`--exclude`).
    pub excluded: u64,
    /// Look-alikes below the confidence that was asked for, of which nothing is kept but how many there are: of those in
    /// objects of git. All others are findings.
    pub look_alikes: u64,
    /// Everything that was not read, sorted.
    pub skips: Vec<Skip>,
}

impl Coverage {
    /// Adds what another part of the run covered.
    pub fn add(&mut self, other: Coverage) {
        self.files += other.files;
        self.streams += other.streams;
        self.objects += other.objects;
        self.bytes += other.bytes;
        self.excluded += other.excluded;
        self.look_alikes += other.look_alikes;
        self.skips.extend(other.skips);
    }
}
