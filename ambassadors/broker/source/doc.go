// Package source tells where a service is, by the word of an environment
// variable, a service binding, a file, an etcd key, DNS, or a provisioner.
//
// A source reports each change of what it knows. It distinguishes that its target
// is gone (the file is not there, the key was deleted, the name does not exist)
// from that it cannot be asked (etcd is down, the file is garbage): the first is
// somebody's decision, the second says nothing about the target. In both cases
// the candidates that it knew last stay in the report.
package source
