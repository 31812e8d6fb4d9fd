"""What makes each alert fire, as unit tests for promtool."""

from typing import Any

SERIES = {
    "ServerDown": {'up{job="api"}': "0x40"},
    "ServerErrors": {
        'requests_total{job="api", status="500"}': "0+1x40",
        'requests_total{job="api", status="200"}': "0+3x40",
    },
    "SlowAnswers": {
        f'request_seconds_bucket{{job="api", route="/v1/predict", le="{le}"}}': f"0+{count}x40"
        for le, count in (("1.0", 1), ("2.5", 10), ("+Inf", 10))
    },
    "PartUnavailable": {'degraded{job="api", part="champion"}': "1x40"},
    "PredictionsNotLogged": {'log_dropped_total{job="api"}': "0+1x40"},
    "ModelNeedsAttention": {'monitor_alarm{reason="drift"}': "1x40"},
    "MonitorLate": {'node_textfile_mtime_seconds{file="/work/reports/monitor.prom"}': "-200000x40"},
}
"""What makes each alert fire: values every 15 seconds, in promtool's notation."""
HEALTHY = {
    'up{job="api"}': "1x40",
    'requests_total{job="api", status="200"}': "0+3x40",
    'request_seconds_bucket{job="api", route="/v1/predict", le="0.01"}': "0+3x40",
    'request_seconds_bucket{job="api", route="/v1/predict", le="+Inf"}': "0+3x40",
    'degraded{job="api", part="champion"}': "0x40",
    'log_dropped_total{job="api"}': "0x40",
    'monitor_alarm{reason="drift"}': "0x40",
    'node_textfile_mtime_seconds{file="/work/reports/monitor.prom"}': "0x40",
}
FIRING = 'count by (alertname) (ALERTS{alertstate="firing"})'


def alert_tests() -> dict[str, Any]:
    """Return a test for each alert, in which no other one fires, and one in which none does."""
    tests = []
    for name, series in {**SERIES, "": {}}.items():
        fires = [{"labels": f'{{alertname="{name}"}}', "value": 1}] if name else []
        expected = {"expr": FIRING, "eval_time": "9m", "exp_samples": fires}
        inputs = [{"series": m, "values": values} for m, values in (HEALTHY | series).items()]
        tests.append({"interval": "15s", "input_series": inputs, "promql_expr_test": [expected]})
    return {"rule_files": ["alerts.yml"], "evaluation_interval": "15s", "tests": tests}
