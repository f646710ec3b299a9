// Package config holds what an operator decides: the settings of optimus.toml ([Config], read by
// [Load]) and the languages of languages.json ([Catalogue], read by [LoadCatalogue]). Both have
// defaults in the binary, so no file is needed.
//
// A setting's value comes from the last of these that states it:
//
//	default  <  optimus.toml  <  environment  <  command line
//
// The environment's names are OPTIMUS_ and the setting's path in capitals: server.max_body is
// OPTIMUS_SERVER_MAX_BODY. REDIS_URL, PORT, DEFAULT_TIMEOUT_MS and MAX_TIMEOUT_MS are read too and
// yield to these.
//
// Reading is strict: an unknown key, a wrong type, a value out of range or a duplicate is a
// [Fault], nothing is mended silently, and one [Error] lists all faults there are.
//
// What a field allows stands in its struct tags, from which decoding, fault messages and the
// documentation's test take it alike: min, max, oneof, is (a named form, see forms) and required.
package config
