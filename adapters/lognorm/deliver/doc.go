// Package deliver takes records from sources to the outputs: lines of JSON on a
// writer, and OTLP over HTTP.
//
// A batch is done when both outputs have it, and only then is it remembered as
// delivered. A slow output makes the others wait, through a buffer of fixed size:
// nothing is thrown away for its sake. Only a collector that refuses records, or
// is away for longer than is borne, loses them for OTLP; they are counted, and
// are on the writer still.
package deliver
