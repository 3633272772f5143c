"""What a log looks like: our own sentences for the few things that participants meet most."""

import pytest

from sandbox.hints import CUDA, NETWORK, NO_GPU, NO_MODULE, SHARED_MEMORY, hints

LOGS = {
    "requests": "urllib3.exceptions.NameResolutionError: <HTTPSConnection(host='huggingface.co', port=443)>: Failed to "
    "resolve 'huggingface.co' ([Errno -3] Temporary failure in name resolution)",
    "urllib": "urllib.error.URLError: <urlopen error [Errno -2] Name or service not known>",
    "curl": "curl: (6) Could not resolve host: zenodo.org",
    "git": "fatal: unable to access 'https://x/': Could not resolve host: x",
    "node": "Error: getaddrinfo EAI_AGAIN registry.npmjs.org",
    "Go": "dial tcp: lookup example.org on 127.0.0.1:53: no such host",
    "by address": "OSError: [Errno 101] Network is unreachable",
}
SHARED = {
    "torch": "RuntimeError: DataLoader worker (pid 41) is killed by signal: Bus error. It is possible that "
    "dataloader's workers are out of shared memory. Please try to raise your shared memory limit.\n"
    "ERROR: Unexpected bus error encountered in worker. This might be caused by insufficient shared memory (shm).",
    "python": "OSError: [Errno 28] No space left on device: '/dev/shm/psm_1'",
    "torch by file": "RuntimeError: unable to write to file </torch_9_1>: unable to allocate shared memory",
}


@pytest.mark.parametrize("log", LOGS.values(), ids=LOGS)
def test_who_asks_for_another_machine_is_told_that_there_is_none(log: str) -> None:
    assert hints(f"Traceback\n{log}\n") == (NETWORK,)


@pytest.mark.parametrize("log", SHARED.values(), ids=SHARED)
def test_who_runs_out_of_shared_memory_is_told_of_it(log: str) -> None:
    assert hints(log) == (SHARED_MEMORY,)


@pytest.mark.parametrize(
    "log",
    [
        "CUDA driver version is insufficient for CUDA runtime version",
        "RuntimeError: The NVIDIA driver on your system is too old (found version 11040).",
        "the provided PTX was compiled with an unsupported toolchain.",
    ],
)
def test_who_brings_a_newer_cuda_than_the_driver_supports_is_told_of_it(log: str) -> None:
    assert hints(f"Traceback\n{log}\n") == (CUDA,)


@pytest.mark.parametrize(
    "log",
    [
        "RuntimeError: Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU",
        "RuntimeError: Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is False. "
        "If you are running on a CPU-only machine, please use torch.load with map_location",
        "AssertionError: Torch not compiled with CUDA enabled",
        "RuntimeError: No CUDA GPUs are available",
        "RuntimeError: CUDA error: no CUDA-capable device is detected",
    ],
)
def test_who_finds_no_gpu_is_told_how_to_do_without(log: str) -> None:
    assert hints(f"Traceback\n{log}\n") == (NO_GPU,)


def test_who_lacks_a_package_is_told_to_install_it_in_the_image() -> None:
    assert hints("Traceback\nModuleNotFoundError: No module named 'monai'\n") == (NO_MODULE,)


@pytest.mark.parametrize(
    "log",
    [
        "",
        "monai: ModuleNotFoundError: No module named 'einops', going on without",
        "KeyError: 'network'",
        "No space left on device: '/output/x'",
        "loaded shm",
        "connection to 127.0.0.1 failed",
    ],
)
def test_other_logs_call_for_nothing(log: str) -> None:
    assert hints(log) == ()
