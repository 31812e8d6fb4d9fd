# The program `airflow`, which `make airflow` installs, with its settings for this folder.
# AIRFLOW_PORT=8090 sets another port.
cd "${0%/*}/../.." || exit 2
export AIRFLOW_HOME="$PWD/build/airflow"
export AIRFLOW__CORE__DAGS_FOLDER="$PWD/deploy/airflow"
export AIRFLOW__CORE__LOAD_EXAMPLES=false
export AIRFLOW__CORE__PARALLELISM=2
export AIRFLOW__API__HOST=127.0.0.1
export AIRFLOW__API__PORT="${AIRFLOW_PORT:-8088}"
export AIRFLOW__API__BASE_URL="http://127.0.0.1:${AIRFLOW_PORT:-8088}"
export AIRFLOW__USAGE_DATA_COLLECTION__ENABLED=false
export AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS=true  # it listens on this machine only
export PATH="$AIRFLOW_HOME/venv/bin:$PATH"
exec "$AIRFLOW_HOME/venv/bin/airflow" "$@"
