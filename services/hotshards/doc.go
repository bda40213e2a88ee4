// Package hotshards is a controller of sharded services. It looks at how much each shard gets, decides by package
// decide, and lets the orchestrator and the proxies do it:
//
//	proxies ──load, places──▶ look ──world──▶ decide ──decision──▶ orchestrator: replicas
//	orchestrator ──replicas──▶                                └──▶ proxies: places
//
// It reconciles: each look begins with what is, and keeps nothing of what was ordered but the time of it. Whatever
// is not known – a proxy or the orchestrator that does not answer, a shard at an unknown place – means
// that nothing is done.
//
// One change is made at a time, beside the looks, which go on. Its rest begins when it has ended, well or not.
package hotshards
