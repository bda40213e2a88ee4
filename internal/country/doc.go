// Package country says which country an address belongs to, by a table of networks.
//
//	table, err := country.Open("/etc/flotilla/countries.csv") // or GeoLite2-Country.mmdb
//	code := table.Of(netip.MustParseAddr("203.0.113.9"))
//
// Who owns which network is no public knowledge that a program could bring along: the lists that are good
// are sold, or have licences that bind whoever passes them on. So a table is a file of the operator's, in one
// of two forms:
//
//   - CSV: a line network,country for each, such as 203.0.113.0/24,DE. Empty lines and those that begin with #
//     are skipped. Networks may lie inside one another: the narrowest counts. IPv4 lies where IPv6 maps it, so ::/0
//     covers all addresses.
//   - A MaxMind database, by its ending .mmdb: that of any vendor who writes the format, with the code in
//     country.iso_code as in GeoLite2 Country and City. It is read once, by github.com/oschwald/maxminddb-golang, into the
//     same table: a file that is replaced or cut off later cannot hurt, which it can where it is mapped into memory.
//
// What is bundled, Documentation, covers only the networks that RFC 5737 and RFC 3849 set aside for examples.
//
// A table never changes; a look-up is a binary search that takes no lock and allocates nothing.
package country
