"""The flagship application, deployed by the command line and used as shops use it."""

import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from inventory_application import APPLICATION, Application, eventually

SAMPLES = sorted((APPLICATION / "samples").glob("*.csv"))


@pytest.fixture(scope="module")
def application(server: Any, cloudlet: Any) -> Application:
    deployed = cloudlet("deploy", str(APPLICATION))
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    return Application(server)


def test_deploying_again_changes_nothing(cloudlet: Any, application: Application):
    again = cloudlet("deploy", str(APPLICATION))
    assert again.returncode == 0, again.stderr
    assert "nothing to change" in again.stdout
    assert application.url in again.stdout.replace("\n", "")


def test_six_stores_upload_at_the_same_moment(application: Application):
    with ThreadPoolExecutor(6) as stores:
        list(stores.map(lambda sample: application.upload(sample.name, sample.read_bytes()), SAMPLES))
    levels = eventually(lambda: found if len(found := application.levels()) == 36 else None)
    assert levels["Berlin", "Echo Dot"] == 12
    assert levels["Berlin", "Echo Plus"] == 0
    empty = {key for key, count in levels.items() if count == 0}
    for store, item in empty:
        application.wait_for_alert(store, item)
    assert application.alerts == Counter(dict.fromkeys(empty, 1))


def test_counting_nothing_again_is_no_news(application: Application):
    for sample in SAMPLES:
        application.load(sample.name, sample.read_bytes())
    application.load("last.csv", b"store,item,count\nLast,Thing,0\n")
    application.wait_for_alert("Last", "Thing")
    assert set(application.alerts.values()) == {1}


def test_an_item_that_comes_back_can_run_out_again(application: Application):
    application.load("last.csv", b"store,item,count\nLast,Thing,5\n")
    del application.alerts["Last", "Thing"]
    application.load("last.csv", b"store,item,count\nLast,Thing,0\n")
    application.wait_for_alert("Last", "Thing")
    assert application.alerts["Last", "Thing"] == 1


def test_two_thousand_rows_and_forty_alerts(application: Application):
    rows = "".join(f"Warehouse,Item {number:04},{number % 50}\r\n" for number in range(2_000))
    result = application.load("warehouse.csv", ("\ufeffStore;Item;Count\r\n" + rows.replace(",", ";")).encode())
    assert (result["loaded"], result["rejected"], result["stores"]) == (2_000, 0, ["Warehouse"])
    levels = {key: count for key, count in application.levels().items() if key[0] == "Warehouse"}
    assert len(levels) == 2_000
    empty = [key for key, count in levels.items() if count == 0]
    assert len(empty) == 40
    for store, item in empty:
        application.wait_for_alert(store, item)
    assert [application.alerts[key] for key in empty] == [1] * 40


def test_bad_rows_are_reported_and_do_not_stop_good_ones(application: Application):
    result = application.load(
        "hamburg.csv", b"store,item,count\nHamburg,Tap,4\nHamburg,Dot,-1\nHamburg\nHamburg,Show,7\n"
    )
    assert (result["loaded"], result["rejected"]) == (2, 2)
    errors = [
        {"line": 3, "reason": "the count is negative: -1", "text": "Hamburg,Dot,-1"},
        {"line": 4, "reason": "only 1 of 3 fields", "text": "Hamburg"},
    ]
    assert result["errors"] == errors

    def report() -> Any:
        found = application.s3.list_objects_v2(Bucket=application.outputs["BucketName"], Prefix="reports/hamburg.csv")
        keys = [entry["Key"] for entry in found.get("Contents", [])]
        return (
            application.s3.get_object(Bucket=application.outputs["BucketName"], Key=keys[0])["Body"] if keys else None
        )

    assert json.load(eventually(report))["errors"] == errors


def test_a_file_without_the_columns_says_so(application: Application):
    result = application.load("notes.csv", b"hello\n")
    assert (result["loaded"], result["stores"]) == (0, [])
    assert "must name the columns store,item,count" in result["errors"][0]["reason"]


def test_an_event_that_comes_late_does_not_bring_old_counts_back(application: Application):
    application.load("bonn.csv", b"store,item,count\nBonn,Tap,9\n")
    bucket = application.outputs["BucketName"]
    application.s3.put_object(Bucket=bucket, Key="elsewhere/bonn.csv", Body=b"store,item,count\nBonn,Tap,1\n")
    old = {
        "eventTime": "2020-01-01T00:00:00.000Z",
        "s3": {"bucket": {"name": bucket}, "object": {"key": "inventory/bonn.csv", "sequencer": "00"}},
    }
    answer = application.server.client("lambda").invoke(
        FunctionName="inventory-load-inventory", Payload=json.dumps({"Records": [old]})
    )
    assert "FunctionError" not in answer, answer["Payload"].read()
    upload = application.upload_of("bonn.csv")
    assert upload is not None
    assert not upload["uploaded"].startswith("2020")
    assert application.levels()["Bonn", "Tap"] == 9


def test_a_stream_batch_that_comes_again_tells_nothing_new(application: Application):
    image = {"Store": {"S": "Ulm"}, "Item": {"S": "Tap"}, "Count": {"N": "0"}}
    record = {"dynamodb": {"NewImage": image, "SequenceNumber": "1" + "0" * 20}}
    for _ in range(2):
        answer = application.server.client("lambda").invoke(
            FunctionName="inventory-check-stock", Payload=json.dumps({"Records": [record]})
        )
        assert json.load(answer["Payload"]) == {"batchItemFailures": []}
    application.load("end.csv", b"store,item,count\nEnd,Thing,0\n")
    application.wait_for_alert("End", "Thing")
    assert application.alerts["Ulm", "Tap"] == 1


def test_the_dashboard_says_304_while_nothing_changes(application: Application):
    first = requests.get(f"{application.url}api/inventory", timeout=30)
    again = requests.get(
        f"{application.url}api/inventory", headers={"If-None-Match": first.headers["ETag"]}, timeout=30
    )
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")


def test_an_upload_is_signed_for_its_name_and_size(application: Application):
    content = b"store,item,count\nKiel,Tap,3\n"
    wanted = {"name": "kiel.csv", "size": len(content)}
    place = requests.post(f"{application.url}api/uploads", json=wanted, timeout=30).json()
    larger = requests.put(place["url"], content + b"Kiel,Dot,4\n", headers=place["headers"], timeout=30)
    elsewhere = requests.put(
        place["url"].replace("kiel.csv", "bonn.csv"), content, headers=place["headers"], timeout=30
    )
    assert (larger.status_code, elsewhere.status_code) == (403, 403)
    assert requests.put(place["url"], content, headers=place["headers"], timeout=30).status_code == 200
    assert eventually(lambda: application.upload_of("kiel.csv"))["loaded"] == 1


def test_functions_are_invoked_and_their_logs_read(cloudlet: Any, application: Application):
    invoked = cloudlet("invoke", "LoadInventory", "--event", "-", "--log", input='{"Records": []}')
    assert (invoked.returncode, invoked.stdout.strip()) == (0, "null")
    assert "REPORT RequestId" in invoked.stderr
    lines = eventually(
        lambda: logs if "berlin.csv: 6 rows" in (logs := cloudlet("logs", "LoadInventory").stdout) else None
    )
    assert "START RequestId" in lines
    unknown = cloudlet("invoke", "nobody")
    assert unknown.returncode == 1
    assert "There is no function nobody. There are: inventory-check-stock" in unknown.stderr


def test_status_shows_what_runs_here(cloudlet: Any, application: Application):
    shown = cloudlet("status").stdout
    assert "inventory (CREATE_COMPLETE)" in shown
    assert "inventory-load-inventory" in shown


def test_the_stack_is_destroyed_with_its_files(cloudlet: Any, application: Application):
    gone = cloudlet("destroy", "inventory", "--yes")
    assert gone.returncode == 0, gone.stdout + gone.stderr
    assert "Emptied the bucket" in gone.stdout
    assert application.s3.list_buckets(Prefix="inventory-")["Buckets"] == []


def test_a_server_that_is_killed_loses_no_level_and_no_alert(own_server: Any, command_line: Any):
    deployed = command_line(own_server)("deploy", str(APPLICATION))
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    application = Application(own_server)
    for sample in SAMPLES:
        application.upload(sample.name, sample.read_bytes())
    for pause in (0.1, 0.7, 0.3):  # in the middle of loading, or of telling
        time.sleep(pause)
        own_server.restart()
    levels = eventually(lambda: found if len(found := application.levels()) == 36 else None)
    for key, count in levels.items():
        if count == 0:
            application.wait_for_alert(*key)
