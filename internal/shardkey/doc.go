// Package shardkey makes the key by which a request belongs to a shard: which parts of it count is a parameter.
//
//	key, err := shardkey.Parse("country+path")
//	text := key.Append(buffer[:0], request)
//	shard := order.First(sharding.CRC32(text), healthy)
//
// A key is one part, or several joined with +:
//
//	uri          the request target as it was sent: nginx's $request_uri
//	path         the target up to its first question mark, as it was sent
//	client       the address of the client, as in nginx's $remote_addr
//	country      the country of that address, by a country.Table
//	header:NAME  a header field; several lines of it are joined with ", ", as in nginx's $http_name
//	cookie:NAME  a cookie, as in nginx's $cookie_name; its name has the case that it is given in
//	context:…    what somebody else knows of the session that header:NAME or cookie:NAME names, such as
//	             context:cookie:player: the region that a player is in. Whoever places keys looks it up
//
// Which one is right is a question of what the answer depends on. Requests that get the same answer should have the
// same key, or every shard computes and keeps it again: so a key holds no more than the answer depends on, and an address
// in it – which nearly every client has of its own – leaves hardly a hit. And a key holds no less, where what stands
// behind it keeps its answers by the key alone: a cache that keeps one page per path hands the French one to Americans.
// A cache that keeps answers by what they vary on, as that of services/cache does, is only slower by a wrong key, never wrong.
//
// The text of a key is what a configuration of nginx can say too, so that both place alike: parts are joined with
// a space, and header:X-Region+uri is the key of hash "$http_x_region $request_uri" consistent. A space cannot be part of a
// target; where a header field has one, two requests of different parts may have one key. They share a shard, and nothing worse.
//
// # As it was sent
//
// Targets are not normalised: /a, /%61 and /./a are three keys. Who places keys – this program, another of its kind, nginx, a
// client – must agree with the others byte by byte, and an origin may see a difference where a
// normalisation sees none. The price is that another spelling is another entry, perhaps in another shard.
//
// # What is missing
//
// A request may lack what the key wants: the cookie, the field, a known country. An empty value counts as missing.
//
//   - While one part is there, the missing ones are empty: a key country+path still spreads by path.
//   - A session of which nothing is known is its own context. It keeps to one shard, and so do all programs that look it up.
//   - When all are missing the key is uri. Were it empty, all such requests would fall on one shard, and a robot without
//     cookies would be enough to make it hot.
//
// # What is trusted
//
// Clients choose what they send, and who chooses the key chooses the shard. Client must therefore be the address that
// internal/forwarded found, never a header field that anybody can write; bounded loads (sharding.Bounded) are for the rest.
// The key may hold a secret, such as the cookie of a session: do not log it.
package shardkey
