"""What makes each alert fire, as unit tests for promtool."""

from typing import Any

WRITTEN = 'node_textfile_mtime_seconds{file="/project/reports/monitor.prom"}'
CASES: list[tuple[str, dict[str, str]]] = [
    ("ServerDown", {'up{job="api"}': "0x1600"}),
    (
        "ServerErrors",
        {
            'requests_total{job="api", status="500"}': "0+1x1600",
            'requests_total{job="api", status="200"}': "0+3x1600",
        },
    ),
    (
        "SlowAnswers",
        {
            f'request_seconds_bucket{{job="api", route="/v1/predict", le="{le}"}}': f"0+{n}x1600"
            for le, n in (("1.0", 1), ("2.5", 10), ("+Inf", 10))
        },
    ),
    ("PartUnavailable", {'degraded{job="api", part="champion"}': "1x1600"}),
    ("PredictionsNotLogged", {'log_dropped_total{job="api"}': "0+1x1600"}),
    ("ModelNeedsAttention", {'monitor_alarm{reason="drift"}': "1x1600"}),
    ("MonitorLate", {WRITTEN: "-200000x1600"}),
    ("MonitorLate", {WRITTEN: "_x1600"}),  # never
    ("", {}),
]
"""What makes each alert fire, as unit tests for promtool."""


SERIES = {
    "ServerDown": {'up{job="api"}': "0x1600"},
    "ServerErrors": {
        'requests_total{job="api", status="500"}': "0+1x1600",
        'requests_total{job="api", status="200"}': "0+3x1600",
    },
    "SlowAnswers": {
        f'request_seconds_bucket{{job="api", route="/v1/predict", le="{le}"}}': f"0+{count}x1600"
        for le, count in (("1.0", 1), ("2.5", 10), ("+Inf", 10))
    },
    "PartUnavailable": {'degraded{job="api", part="champion"}': "1x1600"},
    "PredictionsNotLogged": {'log_dropped_total{job="api"}': "0+1x1600"},
    "ModelNeedsAttention": {'monitor_alarm{reason="drift"}': "1x1600"},
    "MonitorLate": {
        'node_textfile_mtime_seconds{file="/project/reports/monitor.prom"}': "-200000x1600"
    },
}
"""Alerts, and what makes each fire within 26 hours: a value a minute, in promtool's notation."""
HEALTHY = {
    'up{job="api"}': "1x1600",
    'requests_total{job="api", status="200"}': "0+3x1600",
    'request_seconds_bucket{job="api", route="/v1/predict", le="0.01"}': "0+3x1600",
    'request_seconds_bucket{job="api", route="/v1/predict", le="+Inf"}': "0+3x1600",
    'degraded{job="api", part="champion"}': "0x1600",
    'log_dropped_total{job="api"}': "0x1600",
    'monitor_alarm{reason="drift"}': "0x1600",
    WRITTEN: "0+60x1600",
}
FIRING = 'count by (alertname) (ALERTS{alertstate="firing"})'


def alert_tests() -> dict[str, Any]:
    """Return a test for each case, in which no other alert fires."""
    tests = []
    for name, series in CASES:
        fires = [{"labels": f'{{alertname="{name}"}}', "value": 1}] if name else []
        expected = {"expr": FIRING, "eval_time": "26h", "exp_samples": fires}
        inputs = [{"series": m, "values": values} for m, values in (HEALTHY | series).items()]
        tests.append({"interval": "1m", "input_series": inputs, "promql_expr_test": [expected]})
    return {"rule_files": ["alerts.yml"], "evaluation_interval": "15s", "tests": tests}
