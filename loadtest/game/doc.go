// Package game is a small game world, for the proof that sessions move between shards without
// loss.
//
// Regions lie on a grid. A Shard holds the players that are in its regions, each with the
// coins that it has collected; an Atlas says in which region a player is. Walk takes a player to a
// region next to its own:
//
//  1. the shard that holds the player gives it up, and from then on answers 421 for it;
//  2. the atlas says that it is in the new region;
//  3. the shard of the new region takes it, with its coins.
//
// At no time do two shards hold a player, which is why nothing can be done twice; and a shard
// that does not hold one does nothing, which is why a request that it refused can be sent again. Between
// the first step and the last nobody holds the player, and whoever asks for it has to ask again.
//
// A collector collects coins for one player, one after the other, and keeps the account that the
// world has to agree with at the end.
package game
