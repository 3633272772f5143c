"""The program, put together: what it imports, the model's place, the answer's writer, and what takes the call."""

from contract.skeleton._bodies import Body, body_of
from contract.skeleton._flags import declared
from evaluator.spec import Task

_ABOUT = '"""One case, from the call to the file. Your model goes into `predict`."""'
_ABOUT_INVOKE = (
    '"""Cases, from the call to the file. Your model goes into `predict`; load it once, above it."""'
)
_PARTS = '''\
def predict(case):
    """The answer for one case, whose files `case` names."""
{predict}


def write(answer, path):
    """Writes the answer as the task wants it."""
{write}


def main(words=None):
    """Answers the case of the call, or of these words of one."""
    parser = argparse.ArgumentParser()
{flags}
    parser.add_argument("--output", required=True)
    case = parser.parse_args(words)
    write(predict(case), case.output)
'''
_SERVE = '''

def serve():
    """Answers case after case until standard input ends: a line of JSON in, a line of JSON back."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not stand between the answers
    for line in sys.stdin.buffer:
        case, ok = None, False
        try:
            asked = json.loads(line)
            case = asked["case"]
            main(asked["arguments"])
            ok = True
        except (Exception, SystemExit):  # one bad case, or a line that is none, must not end the others
            traceback.print_exc()
        if case is not None:
            print(json.dumps({"case": case, "ok": ok}), file=answers, flush=True)
'''
_END = '\n\nif __name__ == "__main__":\n    {start}\n'


def has_program(task: Task) -> bool:
    """Whether there is one for the task's kind of output."""
    return body_of(task) is not None


def program(task: Task, *, invoke: bool = False) -> str | None:
    """A whole program that gives a valid answer to every case, and the poorest; None for kinds that this does not know.

    invoke: it also answers many cases in one process, asked with `--invoke` alone.
    """
    body = body_of(task)
    if body is None:
        return None
    parts = _PARTS.format(predict=body.predict, write=body.write, flags=declared(task))
    start = 'serve() if sys.argv[1:] == ["--invoke"] else main()' if invoke else "main()"
    head = f"{_ABOUT_INVOKE if invoke else _ABOUT}\n\n{_imports(body, invoke)}\n\n\n"
    return head + parts + (_SERVE if invoke else "") + _END.format(start=start)


def _imports(body: Body, invoke: bool) -> str:
    modules = {"argparse", *body.modules, *(("json", "os", "sys", "traceback") if invoke else ())}
    own = "\n".join(f"import {one}" for one in sorted(modules))
    others = "\n".join(f"import {one}" for one in body.packages)
    return f"{own}\n\n{others}" if others else own
