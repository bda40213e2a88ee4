package country

import (
	"errors"
	"fmt"

	"github.com/oschwald/maxminddb-golang/v2"
)

// ReadMMDB reads a MaxMind database that has country.iso_code, such as GeoLite2 Country. Networks without a
// country are left out, as the vendors have some.
func ReadMMDB(content []byte) (*Table, error) {
	db, err := maxminddb.OpenBytes(content)
	if err != nil {
		return nil, err
	}
	var networks []Network
	leaves := 0
	// Empty networks are counted too: a file in which branches meet again may have more leaves than a lifetime has seconds.
	for result := range db.Networks(maxminddb.IncludeNetworksWithoutData()) {
		if leaves++; leaves > MaxNetworks {
			return nil, fmt.Errorf("more than %d networks", MaxNetworks)
		}
		if result.Err() == nil && !result.Found() {
			continue
		}
		var text string
		if err := result.DecodePath(&text, "country", "iso_code"); err != nil {
			return nil, fmt.Errorf("network %v: %w", result.Prefix(), err)
		}
		if text == "" {
			continue
		}
		code, err := parseCode(short(text))
		if err != nil {
			return nil, fmt.Errorf("network %v: %w", result.Prefix(), err)
		}
		networks = append(networks, Network{result.Prefix(), code})
	}
	if len(networks) == 0 {
		return nil, errors.New("no network has country.iso_code: want a database of countries, such as GeoLite2 Country")
	}
	return New(networks)
}
