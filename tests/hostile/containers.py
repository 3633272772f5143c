"""Containers that misbehave, by the name of the behaviour in `predict.py` or `tricks.py`."""

from dataclasses import dataclass, field

from tests.hostile.table import NOT_REGULAR, VALID, Row

MIB = 2**20
SMALL: dict[str, object] = {
    "seconds_per_case": 30,
    "cpus": 2,
    "gpu": None,
    "memory": 128 * MIB,
    "shm": 64 * MIB,
    "output": 8 * MIB,
    "output_files": 400,
    "disk": 48 * MIB,
    "processes": 40,
}
"""Limits under which every bound is hit within a second or two."""


@dataclass(frozen=True)
class Container(Row):
    """`limits` replace those of the suite; `long` ones take seconds."""

    task: str = "task5"
    limits: dict[str, object] = field(default_factory=dict)
    long: bool = False


def _rows(
    defence: str, expected: str, *names: str, task: str = "task5", long: bool = False, **limits: object
) -> list[Container]:
    return [Container(name, defence, expected, task, limits, long) for name in names]


CONTAINERS: list[Container] = [
    *_rows("memory limit", "out_of_memory", "eats_memory", "fills_memory_without_a_file"),
    *_rows("memory limit", "out_of_memory", "loses_a_child_to_the_memory_killer"),
    *_rows("size of /dev/shm", "exit_code", "fills_shared_memory", "allocates_shared_memory"),
    *_rows("/dev counts as memory", "exit_code or out_of_memory", "fills_dev"),
    *_rows("limit of processes", "too_many_processes", "forks_without_end"),
    *_rows("limit of processes", "too_many_processes", "makes_threads_without_end", "makes_zombies"),
    *_rows("limit of processes", "too_many_processes", "is_refused_a_process_and_gives_up"),
    *_rows("limit of open files", "exit_code", "opens_files_without_end"),
    *_rows("size of the disk of /output", "disk_full", "fills_output", "fills_output_and_exits_0"),
    *_rows("number of files in /output", "disk_full", "makes_many_files"),
    *_rows("size of the disk of /tmp", "disk_full", "fills_tmp", "fills_by_allocation"),
    *_rows("number of files in /tmp", "disk_full", "makes_empty_files_in_tmp"),
    *_rows("size of the working directory's disk", "disk_full", "fills_working_directory"),
    *_rows("watchdog on the root file system", "disk_full", "fills_root", "fills_root_with_one_file"),
    *_rows("watchdog on the root file system", "disk_full", "fills_root_with_deleted_files"),
    *_rows("a disk's limit goes before the memory's", "disk_full", "fills_root_and_memory"),
    *_rows("watchdog counts what no path reaches", "disk_full", "fills_below_a_deep_folder"),
    *_rows("/etc/hosts and its like lie in the layer", "disk_full", "fills_hosts_file"),
    *_rows("watchdog counts what the engine mounts", "disk_full", "fills_a_file_of_the_engine"),
    *_rows("watchdog bears many files", VALID, "makes_100000_empty_files", long=True),
    *_rows("largest size of a file", VALID, "a_hole_larger_than_allowed", "holes_in_tmp"),
    *_rows("time limit, SIGKILL", "timeout", "hangs", "sleeps", "prints_and_hangs", seconds_per_case=2),
    *_rows("time limit, SIGKILL", "timeout", "ignores_every_signal", seconds_per_case=2),
    *_rows(
        "time limit, SIGKILL", "timeout", "stops_itself", "executes_itself_without_end", seconds_per_case=2
    ),
    *_rows("init is out of its container's reach", VALID, "kills_init", "leaves_processes_behind"),
    *_rows("who killed it is asked of the engine", "exit_code", "asks_init_to_end", "kills_itself"),
    *_rows("who killed it is asked of the engine", "exit_code", "kills_everything", "exits_137", "crashes"),
    *_rows("no text makes a platform fault", "no_start", "pretends_that_init_failed"),
    *_rows("output read once all processes are gone", VALID, "leaves_a_daemon_that_writes"),
    *_rows("output opened once, never followed", f"{VALID} or {NOT_REGULAR}", "swaps_the_output_for_a_link"),
    *_rows("inputs are read-only copies", VALID, "removes_the_inputs", "moves_the_mounts"),
    *_rows("output opened without following", NOT_REGULAR, "symlink", "links_to_an_input", "links_to_itself"),
    *_rows("output opened without following", NOT_REGULAR, "links_to_endless_zeros", "links_to_the_host"),
    *_rows("output opened without waiting", NOT_REGULAR, "fifo", "unix_socket", "directory"),
    *_rows("output has one name", NOT_REGULAR, "hard_link"),
    *_rows("no devices", "exit_code", "makes_a_device"),
    *_rows("size before content", "output_invalid:too_large", "huge_sparse_file"),
    *_rows("permissions do not hide an output", VALID, "closes_its_output", "attributes_of_its_output"),
    *_rows("no file that cannot be removed", VALID, "flags_its_output", "makes_setuid_output"),
    *_rows("removal without recursion or names", VALID, "nests_folders", "odd_names"),
    *_rows(
        "only the exact name counts", "output_missing:missing", "odd_names_only", "name_with_a_line_break"
    ),
    *_rows("log has a size", VALID, "floods_the_log", "logs_one_line", "logs_bytes"),
    *_rows("no network", "exit_code", "asks_for_another_machine"),
    *_rows("no network, no privileges", VALID, "opens_sockets", "breaks_out"),
    *_rows("outputs are parsed in bounded children", "output_invalid:too_large", "gzip_bomb", task="task4"),
    *_rows("header before data", "output_invalid:shape", "lies_about_its_size", "wrong_shape", task="task4"),
    *_rows("every voxel is looked at", "output_invalid:labels", "label_out_of_range", task="task4"),
    *_rows("every voxel is looked at", "output_invalid:finite", "not_a_number", task="task4"),
    *_rows("three dimensions", "output_invalid:dimensions", "four_dimensions", task="task4"),
    *_rows("gzip is checked", "output_invalid:gzip", "not_gzip", task="task4"),
    *_rows("pickles are never loaded", "output_invalid:npy", "pickled", "bare_pickle", task="task6"),
]
