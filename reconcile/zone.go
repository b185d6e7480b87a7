package reconcile

// twoWays are the names that the IANA database has for zones with summer time, and PostgreSQL for abbreviations without it, by a city of
// each zone. PostgreSQL prefers the abbreviation in AT TIME ZONE, and the zone in SET TIME ZONE.
var twoWays = map[string]string{"CET": "Europe/Brussels", "EET": "Europe/Athens", "MET": "Europe/Brussels", "WET": "Europe/Lisbon"}

// ReadInTwoWays is a city of a zone whose name means different zones to different readers; "" for every other name.
func ReadInTwoWays(name string) (city string) { return twoWays[name] }
