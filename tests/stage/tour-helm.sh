#!/bin/sh
# The real Helm, to which Gloo's repository is one chart of this machine: the last word `gloo` is that chart.
case " $* " in
*" --repo=https://storage.googleapis.com/solo-public-helm "*) ;;
*) exec 'REAL' "$@" ;;
esac
at=0
chart=0
for word; do
  at=$((at + 1))
  if [ "$word" = gloo ]; then chart=$at; fi
done
at=0
for word; do
  shift
  at=$((at + 1))
  case $word in
  --repo=*) ;;
  *) if [ $at = $chart ]; then word='CHART'; fi; set -- "$@" "$word" ;;
  esac
done
exec 'REAL' "$@"
