"""What engines of several versions say where they refuse an image, each with the public source that says it.

Paths are those of moby/moby at that version unless another project is named.
"""

LOADS = {
    "19.03, chrootarchive/archive_unix.go": "Error processing tar file(exit status 1): link /a /b: no such file or "
    "directory",
    "20.10, image/store.go": "too many non-empty layers in History section",
    "23.0, pkg/chrootarchive/archive_unix.go": "Error processing tar file(exit status 1): operation not permitted",
    "24.0, pkg/chrootarchive/diff_unix.go": "link /app/nothing /app/again: no such file or directory",
    "25.0, vendor/github.com/vbatts/tar-split": "duplicates of file paths not supported",
    "27.5, image/image.go": "invalid image JSON, no RootFS key",
    "27.5, pkg/archive/archive.go": 'failed to Lchown "/a" for UID 3000000000, GID 0: lchown /a: invalid argument',
    "28.5, distribution/xfer/download.go": "failed to register layer: archive/tar: invalid tar header",
    "29.7, vendor/github.com/moby/go-archive/archive.go": 'invalid hardlink target "/usr/bin/gawk-5.2"',
    "29.7, daemon/internal/image/tarexport/load.go": "invalid manifest, layers length mismatch: expected 2, got 1",
    "29.7, containerd's unpacker": "failed to extract layer (application/vnd.oci.image.layer.v1.tar sha256:0a) to "
    'overlayfs as "extract-1 sha256:0b": link /a /b: no such file or directory',
    "containerd 1.7": "failed to extract layer sha256:0a: mount callback failed on /var/lib/containerd/tmpmounts/"
    "containerd-mount1: mkdir /a/b: not a directory: unknown",
    "podman 5": "payload does not match any of the supported image formats",
    "nobody's yet": "the flux is not capacious enough for this image",
}
"""What engines say of images that they cannot load, with the place in their public source that says it."""

HOSTS = {
    "24.0, a disk that breaks": "write /usr/lib/libx.so: input/output error",
    "20.10, no memory": "Error processing tar file(exit status 1): fork/exec /proc/self/exe: cannot allocate memory",
    "containerd, a disk that breaks": "failed to extract layer sha256:0a: write /x: input/output error: unknown",
    "27.5, a store that is damaged": "open {store}/image/overlay2/layerdb/sha256/0a/cache-id: no such file "
    "or directory",
    "28.5, stopped meanwhile": "context canceled",
    "23.0, too many files open": "open {store}/tmp/docker-import-1/a.tar: too many open files",
}
"""What they say where the host is to blame; `{store}` is the engine's own folder."""

CREATES = [
    (
        "start",
        "20.10, runc 1.0",
        500,
        "OCI runtime create failed: container_linux.go:380: starting container process caused: "
        'exec: "python": executable file not found in $PATH: unknown',
    ),
    (
        "start",
        "24.0, runc 1.1",
        400,
        "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create "
        "failed: unable to start container process: unable to find user nobody-there: no matching entries in passwd "
        "file: unknown",
    ),
    (
        "start",
        "29.7, runc 1.3",
        500,
        "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create "
        "failed: unable to start container process: error during container init: exec /sbin/docker-init: exec format "
        "error",
    ),
    (
        "start",
        "crun 1.14",
        404,
        "failed to create task: OCI runtime create failed: crun: executable file `python` not found in $PATH: No such "
        "file or directory: unknown",
    ),
    (
        "start",
        "nvidia-container-cli 1.17",
        500,
        "failed to create task for container: error running prestart hook #0: exit status 1: nvidia-container-cli: "
        "requirement error: unsatisfied condition: cuda>=12.9, please update your driver to a newer version: unknown",
    ),
    ("start", "nobody's yet", 500, "the flux is not capacious enough for this container"),
    ("create", "27.5, daemon/create.go", 400, "no command specified"),
    (
        "create",
        "29.7, daemon/create_unix.go",
        500,
        "cannot mount volume over existing file, file exists {store}/overlay2/0a/merged/data",
    ),
    ("create", "nobody's yet", 404, "no flux for this container"),
]
"""What they say where they make or start no container: of which call, who, the status, the words."""
