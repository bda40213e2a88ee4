// Package rfc9111 is the decision core of a shared HTTP cache: what may be stored, for how long it is
// fresh, which stored response answers which request, what a 304 changes, which bytes a Range asks for,
// and what an unsafe method makes invalid.
//
// It does no input or output, keeps no state, reads no clock and knows no transport: messages come in as
// plain parsed values ([Header], [Response]), the time is an argument, and the answers are values. The
// table RFC9111.md beside the module lists every requirement with the test that holds it.
//
// Where the RFC leaves a choice to a shared cache, the choice is written at the function that makes it.
package rfc9111
