"""Reading what strace writes."""

from tools.faults.calls import octal, read_calls, symlink_target

ROOT = "/r"


def hexed(words: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in words.encode())


def test_paths_and_data_come_out_of_the_escapes() -> None:
    path = hexed("/r/a b")
    trace = (
        f'9 openat(AT_FDCWD<{hexed("/r")}>, "{path}", O_WRONLY|O_CREAT, 0640) = 4<{path}>\n'
        f'9 write(4<{path}>, "{hexed("x, y")}", 4) = 4\n'
        f'9 symlink("{hexed("gen/1")}", "{hexed("/r/current")}") = 0'
    )
    opened, written, linked = read_calls(trace, ROOT)

    assert (opened.paths, octal(opened), opened.result) == (("/r/a b",), 0o640, 4)
    assert (written.data, written.relative(ROOT)) == (b"x, y", "a b")
    assert (linked.paths, symlink_target(linked)) == (("/r/current",), "gen/1")


def test_a_name_below_an_open_folder_is_joined_to_it() -> None:
    trace = f'9 unlinkat(5<{hexed("/r/keys")}>, "{hexed("a.key")}", 0) = 0'

    (call,) = read_calls(trace, ROOT)

    assert call.paths == ("/r/keys/a.key",)


def test_calls_are_numbered_as_strace_counts_them_also_those_elsewhere() -> None:
    trace = (
        f'9 rename("{hexed("/other/a")}", "{hexed("/other/b")}") = 0\n'
        f'9 rename("{hexed("/r/a")}", "{hexed("/r/b")}") = 0\n'
        f'8 rename("{hexed("/r/b")}", "{hexed("/r/c")}") = 0'
    )

    assert [(call.pid, call.number) for call in read_calls(trace, ROOT)] == [(9, 2), (8, 1)]


def test_a_call_that_another_thread_cut_in_two_is_one_call() -> None:
    path = hexed("/r/a")
    trace = f"9 fsync(3<{path}> <unfinished ...>\n8 fsync(4<{path}>) = 0\n9 <... fsync resumed>) = 0"

    assert [call.pid for call in read_calls(trace, ROOT)] == [8, 9]


def test_only_the_end_of_what_was_written_to_is_a_point() -> None:
    read, written = hexed("/r/read"), hexed("/r/written")
    trace = (
        f'9 openat(AT_FDCWD<{hexed("/")}>, "{read}", O_RDONLY) = 3<{read}>\n9 close(3<{read}>) = 0\n'
        f'9 openat(AT_FDCWD<{hexed("/")}>, "{written}", O_WRONLY) = 3<{written}>\n9 close(3<{written}>) = 0'
    )

    assert [call.mutates for call in read_calls(trace, ROOT)] == [False, False, True, True]


def test_a_failed_call_and_what_acts_answered_are_told() -> None:
    trace = (
        f'9 mkdir("{hexed("/r/a")}", 0700) = -1 EEXIST (File exists)\n'
        f'9 writev(6<pipe:[77]>, [{{iov_base="{hexed("{}")}", iov_len=2}}], 1) = 2'
    )
    failed, said = read_calls(trace, ROOT)

    assert failed.failed
    assert (said.data, said.mutates) == (b"{}", False)
