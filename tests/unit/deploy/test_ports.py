import socket

from deploy.ports import LOOPBACK, answers, free_port, is_free


def _listener() -> socket.socket:
    listener = socket.create_server((LOOPBACK, 0))
    assert not is_free(listener.getsockname()[1])
    return listener


def test_a_port_that_somebody_holds_is_passed_over():
    with _listener() as listener:
        held = listener.getsockname()[1]

        assert free_port(held) > held


def test_a_port_that_is_free_but_taken_is_passed_over():
    wanted = free_port(21000)

    assert free_port(wanted, {wanted}) > wanted


def test_a_port_closed_a_moment_ago_is_free_again():
    with _listener() as listener:
        port = listener.getsockname()[1]
        socket.create_connection((LOOPBACK, port)).close()
        accepted, _ = listener.accept()
        accepted.close()

    assert is_free(port)


def test_only_a_listener_answers():
    with _listener() as listener:
        port = listener.getsockname()[1]
        assert answers(LOOPBACK, port)

    assert not answers(LOOPBACK, port)
