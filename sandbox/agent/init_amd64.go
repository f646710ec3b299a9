package agent

import _ "embed"

//go:embed init/init_amd64
var initBinary []byte
