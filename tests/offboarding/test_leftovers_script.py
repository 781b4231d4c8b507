"""The script that looks for leftovers, alone: what clouds answer that the local ones do not, word for word."""

import json
import os
import stat
import subprocess

import pytest

from accounts.offboarding import leftovers

ACCOUNT = "3f9a1c2e-0000-4000-8000-000000000001"
PROJECT, NUMBER = "acme-prod", "123456789012"
OFF = (
    "ERROR: (gcloud.{command}) PERMISSION_DENIED: Compute Engine API has not been used in project {project} before or it is disabled. "
    "Enable it by visiting https://console.developers.google.com/apis/api/compute.googleapis.com/overview?project={project} then retry.\n"
    "- '@type': type.googleapis.com/google.rpc.ErrorInfo\n  reason: SERVICE_DISABLED\n  domain: googleapis.com\n"
    '  consumer: "projects/{project}"\n  service: "compute.googleapis.com"\n'
)


def look(folder, cloud: str, answers: dict[str, tuple[int, str, str]], *, place: str = PROJECT, kept: str = "") -> tuple[int, dict]:
    """Runs the script beside a tool that gives these answers, by how its words begin: exit code, output, errors. Otherwise nothing."""
    tool = folder / {"gcp": "gcloud", "azure": "az"}.get(cloud, cloud)
    (folder / "answers").write_text(json.dumps(answers))
    tool.write_text(
        "#!/usr/bin/env python3\nimport json, pathlib, sys\nwords = ' '.join(sys.argv[1:])\n"
        "answers = json.loads((pathlib.Path(__file__).parent / 'answers').read_text())\n"
        "found = [answer for start, answer in answers.items() if words.startswith(start)] or [(0, '', '')]\n"
        "sys.stdout.write(found[0][1]), sys.stderr.write(found[0][2]), sys.exit(found[0][0])\n"
    )
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    done = run(folder, cloud, place, "--kept", kept, "--json")
    return done.returncode, json.loads(done.stdout)


def run(folder, cloud: str, place: str, *more: str) -> subprocess.CompletedProcess[str]:
    """Beside the tool that `look` has made."""
    words = ["--cloud", cloud, "--account", ACCOUNT, "--place", place, "--regions", "eu-north-1", *more]
    return subprocess.run(
        ["bash", leftovers.SCRIPT, *words],
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}, cwd=folder, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def google(named: str, *, switched_on: tuple[int, str, str]) -> dict[str, tuple[int, str, str]]:
    """A project whose lists of compute are refused in the name of `named`."""
    return {
        "projects describe": (0, f"{PROJECT}\t{NUMBER}\n", ""),
        "services list": switched_on,
        "compute ": (1, "", OFF.format(command="compute.list", project=named)),
    }


@pytest.mark.parametrize("named", [PROJECT, NUMBER])
def test_service_that_is_off_in_this_project_counts_as_empty_and_is_told(named, tmp_path):
    code, report = look(tmp_path, "gcp", google(named, switched_on=(0, "iam.googleapis.com\n", "")))

    assert (code, report["is_clean"], report["not_looked_at"]) == (0, True, [])
    assert report["switched_off"] == ["compute.googleapis.com"]


@pytest.mark.parametrize(
    ("named", "switched_on"),
    [
        ("999999999999", (0, "iam.googleapis.com\n", "")),  # the project that pays for calls, not this one
        (NUMBER, (0, "compute.googleapis.com\niam.googleapis.com\n", "")),  # this project says that it is on
        (NUMBER, (1, "", "ERROR: PERMISSION_DENIED")),  # nobody can say
    ],
)
def test_service_that_may_be_on_was_not_looked_at(named, switched_on, tmp_path):
    code, report = look(tmp_path, "gcp", google(named, switched_on=switched_on))

    assert (code, report["is_clean"], report["is_whole"], report["switched_off"]) == (2, False, False, [])
    assert any("compute disks" in line for line in report["not_looked_at"])


@pytest.mark.parametrize("is_deleted", [True, False])
def test_role_of_a_deleted_account_is_told_with_what_takes_it_away(is_deleted, tmp_path):
    """The page's command names the account that stands, so it does not reach that of a deleted one."""
    member = f"serviceAccount:byoc-{ACCOUNT[:8]}-g1-operator@{PROJECT}.iam.gserviceaccount.com"
    member = f"deleted:{member}?uid=1234" if is_deleted else member
    policy = json.dumps({"bindings": [{"role": "roles/viewer", "members": [member]}]})
    answers = {"projects describe": (0, f"{PROJECT}\t{NUMBER}\n", ""), "projects get-iam-policy": (0, policy, "")}
    code, report = look(tmp_path, "gcp", answers)
    told = run(tmp_path, "gcp", PROJECT).stdout

    assert code == 1
    assert member in str(report)
    assert ("--member='THE WHOLE NAME'" in told) == is_deleted


def test_words_of_google_excuse_no_other_cloud(tmp_path):
    answers = {
        "account show": (0, "8e6f2a10-0000-4000-8000-000000000001\n", ""),
        "resource list": (1, "", "ERROR: SERVICE_DISABLED has not been used in project"),
    }
    code, report = look(tmp_path, "azure", answers, place="8e6f2a10-0000-4000-8000-000000000001")

    assert (code, report["is_whole"]) == (2, False)


HERE = "eu-north-1:123456789012"
ROLE, VPC = f"arn:aws:iam::123456789012:role/byoc-{ACCOUNT[:8]}-cell-a", f"arn:aws:ec2:{HERE}:vpc/byoc-{ACCOUNT[:8]}-cell-a"


def aws(*arns: str) -> dict[str, tuple[int, str, str]]:
    tagged = "".join(f"{arn}\n" for arn in arns)
    return {"sts get-caller-identity": (0, "123456789012\n", ""), "resourcegroupstaggingapi": (0, tagged, "")}


@pytest.mark.parametrize(
    ("kept", "sorts"),
    [
        (leftovers._whole("AWS::IAM::Role", f"byoc-{ACCOUNT[:8]}-cell-a"), ["kept", "left"]),
        (VPC, ["left", "kept"]),
        (f"byoc-{ACCOUNT[:8]}-cell-a", ["left", "left"]),
        ("a", ["left", "left"]),
    ],
)
def test_kept_is_the_whole_id_of_one_kind(kept, sorts, tmp_path):
    answers = aws(ROLE, VPC) | {"iam list-roles": (0, f"{ROLE}\n", ""), "ec2 describe-vpcs": (0, "there\n", "")}
    _code, report = look(tmp_path, "aws", answers, place="123456789012", kept=kept)

    assert [one["sort"] for one in report["found"]] == sorts


@pytest.mark.parametrize(
    ("kind", "made", "arn"),
    [
        ("AWS::EC2::SecurityGroup", "sg-1", "arn:aws:ec2:eu-north-1:123456789012:security-group/sg-1"),
        (
            "AWS::ElasticLoadBalancingV2::LoadBalancer",
            "net/a/1",
            "arn:aws:elasticloadbalancing:eu-north-1:123456789012:loadbalancer/net/a/1",
        ),
        ("AWS::Logs::LogGroup", "/byoc/a", "arn:aws:logs:eu-north-1:123456789012:log-group:/byoc/a"),
        ("AWS::EC2::VPC", "arn:aws:ec2:eu-north-1:123456789012:vpc/vpc-1", "arn:aws:ec2:eu-north-1:123456789012:vpc/vpc-1"),
    ],
)
def test_kept_of_aws_is_known_by_its_short_id_too(kind, made, arn, tmp_path):
    answers = aws(arn) | {"ec2 describe": (0, "there\n", ""), "elbv2 describe": (0, "there\n", "")}
    _code, report = look(tmp_path, "aws", answers, place="123456789012", kept=leftovers._whole(kind, made))

    assert [one["sort"] for one in report["found"]] == ["kept"]


GONE, UNKNOWN = (0, "", ""), (254, "", "\nAn error occurred ({}) when calling the operation: {}\n")


@pytest.mark.parametrize(
    ("thing", "command", "answer", "sort"),
    [
        ("ec2:{}:instance/i-1", "ec2 describe-instances", (0, "running\n", ""), "left"),
        ("ec2:{}:instance/i-1", "ec2 describe-instances", (0, "terminated\n", ""), ""),
        ("ec2:{}:instance/i-1", "ec2 describe-instances", GONE, ""),
        ("ec2:{}:elastic-ip/eipalloc-1", "ec2 describe-addresses", (0, "eipalloc-1\n", ""), "left"),
        ("ec2:{}:elastic-ip/eipalloc-1", "ec2 describe-addresses", GONE, ""),
        ("ec2:{}:launch-template/lt-1", "ec2 describe-launch-templates", GONE, ""),
        ("eks:{}:nodegroup/byoc/n/1", "eks describe-cluster", (0, "byoc\n", ""), "left"),
        ("eks:{}:nodegroup/byoc/n/1", "eks describe-cluster", (*UNKNOWN[:2], UNKNOWN[2].format("ResourceNotFoundException", "No")), ""),
        ("kms:{}:key/1", "kms describe-key", (0, "PendingDeletion\n", ""), ""),
        ("kms:{}:key/1", "kms describe-key", (*UNKNOWN[:2], UNKNOWN[2].format("NotFoundException", "Key")), ""),
        ("kms:{}:key/1", "kms describe-key", (*UNKNOWN[:2], UNKNOWN[2].format("AccessDeniedException", "Key does not exist?")), "named"),
        ("cloudformation:{}:stack/a/1", "cloudformation describe-stacks", (0, "DELETE_COMPLETE\n", ""), ""),
        ("ec2:{}:fleet/fleet-1", "ec2", GONE, "named"),
        ("sns:{}:topic", "sns", GONE, "named"),
    ],
)
def test_services_have_the_last_word_on_what_the_list_of_tags_names(thing, command, answer, sort, tmp_path):
    arn = f"arn:aws:{thing.format(HERE)}"
    answers = aws(arn) | {"cloudformation describe-stacks --region eu-north-1 --query": GONE, command: answer}
    code, report = look(tmp_path, "aws", answers, place="123456789012")

    assert [(one["id"], one["sort"]) for one in report["found"]] == ([(arn, sort)] if sort else [])
    assert (code, report["is_clean"]) == {"left": (1, False), "named": (2, False), "": (0, True)}[sort]


def test_what_nobody_but_the_list_of_tags_names_has_a_heading_of_its_own(tmp_path):
    _code, _report = look(tmp_path, "aws", aws(f"arn:aws:sns:{HERE}:topic"), place="123456789012")

    told = run(tmp_path, "aws", "123456789012").stdout
    assert "Named by AWS's list of tags alone, so not counted as left over." in told
    assert "0 left over, 0 of the kit, 0 kept on purpose." in told
    assert "Left over, and may cost:" not in told
    assert "Nothing of the portal is left here." not in told


def test_kept_of_google_is_one_path(tmp_path):
    name = f"byoc-{ACCOUNT[:8]}-cell-a"
    kept = [f"projects/{PROJECT}/global/networks/{name}", f"projects/{PROJECT}/locations/eu-north-1/clusters/{name}"]
    answers = {
        "projects describe": (0, f"{PROJECT}\t{NUMBER}\n", ""),
        "compute networks list": (0, f"https://www.googleapis.com/compute/v1/{kept[0]}\t\t\n", ""),
        "compute disks list": (0, f"https://www.googleapis.com/compute/v1/projects/{PROJECT}/zones/eu-north-1-a/disks/{name}\t\t\n", ""),
        "container clusters list": (0, f"{name}\teu-north-1\t\n{name}\teu-west-1\t\n", ""),
    }
    _code, report = look(tmp_path, "gcp", answers, kept=",".join(kept))

    assert [(one["kind"], one["sort"]) for one in report["found"]] == [
        ("compute networks", "kept"), ("compute disks", "left"), ("cluster", "kept"), ("cluster", "left"),
    ]  # fmt: skip


def test_kept_with_a_star_or_a_space_is_one_id(tmp_path):
    """No file that lies where the script runs becomes an id, and no id falls apart."""
    group = "/subscriptions/8e6f2a10-0000-4000-8000-000000000001/resourceGroups/byoc"
    (tmp_path / "a").write_text("")
    answers = {
        "account show": (0, "8e6f2a10-0000-4000-8000-000000000001\n", ""),
        "resource list": (0, f"{group}/of acme\na\n", ""),
    }
    _code, report = look(tmp_path, "azure", answers, place="8e6f2a10-0000-4000-8000-000000000001", kept=f"{group}/of acme,*")

    assert [one["sort"] for one in report["found"]] == ["kept", "left"]


def test_report_is_json_whatever_a_cloud_says(tmp_path):
    answers = {
        "account show": (0, "8e6f2a10-0000-4000-8000-000000000001\n", ""),
        "group list": (0, 'a\tb\x1b[31m\\"\n', ""),
        "resource list": (1, "", "ERROR:\tno\x07 way\n"),
    }
    code, report = look(tmp_path, "azure", answers, place="8e6f2a10-0000-4000-8000-000000000001")

    assert (code, report["found"][0]["id"]) == (2, 'a b [31m\\"')
    assert report["not_looked_at"] == ["az resource list: ERROR: no  way"]
