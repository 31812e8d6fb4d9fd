#!/bin/sh
# Replaces the images of server and training; if the server does not become healthy, the previous
# images come back. Usage: replace.sh SERVE TRAIN
set -eu
serve={{ cookiecutter.project_slug }}-serve train={{ cookiecutter.project_slug }}-train

start() {
  docker compose up --detach --wait --wait-timeout 180 --no-build --no-deps api proxy
}

[ "$#" = 2 ] && [ -n "$1" ] && [ -n "$2" ] || { echo "Say which images: make replace SERVE=... TRAIN=..." >&2; exit 2; }
for image in "$1" "$2"; do
  docker image inspect "$image" > /dev/null 2>&1 || docker pull "$image"
done
# A second run with the same images keeps those before them.
if [ "$(docker image inspect "$serve" "$train")" != "$(docker image inspect "$1" "$2")" ]; then
  docker tag "$serve" "$serve:previous"
  docker tag "$train" "$train:previous"
fi
docker tag "$1" "$serve"
docker tag "$2" "$train"
if start; then
  exit
fi
docker compose logs --tail 20 api
docker tag "$serve:previous" "$serve"
docker tag "$train:previous" "$train"
if start; then
  echo "$1 did not become healthy; the previous image answers again." >&2
else
  echo "Neither $1 nor the previous image became healthy." >&2
fi
exit 1
