// Package lognorm is an adapter for logs: it reads what applications write, each
// in its own format, and writes one format for all.
//
// Sources are files, followed through every rotation, standard input, the slow
// log of a Redis and lists that HTTP endpoints answer. Each line is read by the
// first of the usual formats that knows it, joined with the lines of its stack
// trace, and leaves as a record of the OpenTelemetry log data model: as a line of
// JSON on standard output, and by OTLP where a collector is configured.
//
// Nothing is lost in silence. What no format knows is passed on as it stands and
// marked. A slow output makes the sources wait. How far a file was delivered is
// kept in a state file, so that after a crash lines are repeated rather than
// lost, with the same log.record.uid. What cannot be saved – a file that was
// truncated before it was read – is counted.
package lognorm
