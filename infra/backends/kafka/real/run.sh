#!/bin/sh
# Apache Kafka in the place of the embedded broker, on this machine: one process that is
# controller and broker, and that only loopback reaches.
#
#   run.sh JAVA JARS DATA ADDRESS CONTROLLER_ADDRESS
#
# The number of the node is 10 because the runner's question whether it is ready ends with
# the first line, and a 10 is the end of a line.
set -eu
java=$1 jars=$2 data=$3 addr=$4 controller=$5
mkdir -p "$data"
cat >"$data/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=10
controller.quorum.voters=10@$controller
listeners=PLAINTEXT://$addr,CONTROLLER://$controller
advertised.listeners=PLAINTEXT://$addr
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs=$data/log
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
num.io.threads=2
num.network.threads=1
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
log.cleaner.dedupe.buffer.size=8388608
log.cleaner.backoff.ms=200
controlled.shutdown.enable=false
PROPERTIES
# Little memory and a quick start: for one machine the first compiler is good enough. There
# is no configuration of the log, so that log4j writes warnings to the standard output.
set -- -Xmx256m -Xms64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto -XX:-UsePerfData \
	-Dlog4j2.configurationFile="$jars/none" -Dlog4j2.level=WARN -Dlog4j2.StatusLogger.level=OFF -cp "$jars/*"
# The first start prepares the data. The file is written last: where it is, all is.
if [ ! -f "$data/log/meta.properties" ]; then
	rm -rf "$data/log"
	"$java" "$@" kafka.tools.StorageTool format --cluster-id ZmxvdGlsbGEtZmxlZXQtMQ --config "$data/server.properties" >"$data/format.log" 2>&1 ||
		{ cat "$data/format.log" >&2; exit 1; }
fi
exec "$java" "$@" kafka.Kafka "$data/server.properties"
