#!/usr/bin/env bash
# Open MPI, and a Slurm of this one machine, on Debian or Ubuntu, as root: what the tests of
# `mpirun` and `srun` need. It may be run again.
set -euo pipefail

missing=()
command -v mpirun >/dev/null || missing+=(openmpi-bin)
command -v slurmctld >/dev/null || missing+=(slurm-wlm)
command -v munged >/dev/null || missing+=(munge)
if ((${#missing[@]})); then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null
fi

host=$(hostname -s)
mkdir -p /etc/slurm /var/spool/slurmctld /var/spool/slurmd /run/munge
cat >/etc/slurm/slurm.conf <<CONF
ClusterName=local
SlurmctldHost=$host(127.0.0.1)
AuthType=auth/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation=/var/spool/slurmctld
SlurmdSpoolDir=/var/spool/slurmd
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF

# A package may have started some of them, with another configuration or none.
running() { [[ -r $1 ]] && kill -0 "$(<"$1")" 2>/dev/null; }
chown -R munge:munge /run/munge /etc/munge /var/lib/munge /var/log/munge
running /run/munge/munged.pid || runuser -u munge -- munged
for daemon in slurmctld slurmd; do
  running /run/$daemon.pid || $daemon
done
for _ in {1..30}; do
  if srun --ntasks=1 --time=1 true 2>/dev/null; then
    exit 0
  fi
  sleep 1
done
sinfo
echo "srun can't start a process" >&2
exit 1
