package agent

import _ "embed"

//go:embed init/init_arm64
var initBinary []byte
