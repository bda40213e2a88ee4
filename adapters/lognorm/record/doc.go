// Package record is a log record in the log data model of OpenTelemetry, and its
// two forms on the wire: a line of JSON with the field names of the data model,
// and the JSON encoding of OTLP.
//
// A Record refers to the bytes that it was parsed from and is encoded before
// they are reused; nothing is copied and nothing is allocated per line.
package record
