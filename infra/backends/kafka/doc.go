// Package kafka is an embedded Kafka broker as a process of the fleet: the protocol and the
// log of kfake (github.com/twmb/franz-go) with the ports, probes, parameters and the end of
// every other process. It is for a machine that has no Kafka; a test holds it to what the
// real one does.
//
// It is a cluster of one broker. What it acknowledges is written to KAFKA_DATA_DIR first, and
// is there again after every end of the process. Topics are made by those who need them and
// by nobody else: asking for one that is not there does not make it.
package kafka
