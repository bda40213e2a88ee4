// Package pki makes the certificates of a development fleet: a certification
// authority that a browser may be told to trust, one that only the fleet itself
// trusts, the certificate of the edge and one for each internal service.
//
//	ca            signs edge            the development CA: people may trust it
//	internal-ca   signs dictionary, …   what the tiers verify each other with
//
// Both authorities are constrained by name: a certificate that they sign for
// any public name is worth nothing, so that a stolen development key opens
// nothing but the machine it was made on. Production brings its own
// certificates; nothing here is for the public.
//
// Ensure is idempotent. What exists and is good is kept; a certificate is
// renewed when less than a third of its lifetime is left, when it does not name
// all hosts, when its key does not fit or its authority was replaced. It writes
// to a Store: a directory (Dir) or Secrets of a cluster (Cluster).
//
//	reports, err := pki.Ensure(ctx, pki.Dir(".flotilla/pki"), plan)
package pki
