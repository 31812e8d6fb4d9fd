#!/bin/sh
# Replaces the images of server and training; if the server does not become healthy, the previous
# images come back. Usage: replace.sh SERVE TRAIN
set -eu
serve={{ cookiecutter.project_slug }}-serve train={{ cookiecutter.project_slug }}-train

start() {
  docker compose up --detach --wait --wait-timeout 180 --no-build --no-deps mlflow api proxy
}

[ "$#" = 2 ] && [ -n "$1" ] && [ -n "$2" ] || { echo "Say which images: make replace SERVE=... TRAIN=..." >&2; exit 2; }
[ -n "$(docker compose ps --quiet postgres)" ] || { echo "The system is not running: make up" >&2; exit 2; }
for image in "$1" "$2"; do
  docker image inspect "$image" > /dev/null 2>&1 || docker pull "$image"
done
trap 'echo "Interrupted: run the same command again." >&2; exit 130' INT TERM
docker tag "$1" "$serve:next"  # first, because $1 may be the previous image
docker tag "$2" "$train:next"
# A second run with the same images keeps those before them.
if [ "$(docker image inspect "$serve" "$train")" != "$(docker image inspect "$serve:next" "$train:next")" ]; then
  docker tag "$serve" "$serve:previous"
  docker tag "$train" "$train:previous"
fi
docker tag "$serve:next" "$serve"
docker tag "$train:next" "$train"
docker rmi "$serve:next" "$train:next" > /dev/null
if start; then
  exit
fi
docker compose logs --tail 20 mlflow api
docker tag "$serve:previous" "$serve"
docker tag "$train:previous" "$train"
if start; then
  echo "$1 and $2 did not become healthy; the previous images answer again." >&2
else
  echo "Neither $1 and $2 nor the previous images became healthy." >&2
fi
exit 1
