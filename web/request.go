package web

// JobRequest is the body of a submission.
type JobRequest struct {
	Language      string            `json:"language" minLength:"1" maxLength:"64" doc:"Name or alias of a language; GET /v1/languages lists them." example:"python"`
	Version       string            `json:"version,omitempty" maxLength:"64" doc:"Version of the language, where the catalogue has several." example:"3.13"`
	SourceCode    *string           `json:"source_code,omitempty" doc:"The program, where it is one file. Either this or files." example:"print(input())"`
	Files         []FileRequest     `json:"files,omitempty" minItems:"1" doc:"The program's files; the first is the main one. Either this or source_code."`
	Args          []string          `json:"args,omitempty" doc:"Arguments that the program gets in every test."`
	Stdin         *string           `json:"stdin,omitempty" doc:"Standard input of a plain run. Either this or tests; without both the program runs once with empty input."`
	StdinEncoding string            `json:"stdin_encoding,omitempty" enum:"utf8,base64" doc:"How stdin is written here; utf8 without it."`
	Tests         []TestRequest     `json:"tests,omitempty" doc:"What the program is judged by. Either this or stdin."`
	Limits        *LimitsRequest    `json:"limits,omitempty" doc:"Limits of every test that states none of its own; what is not stated comes from the language."`
	Checker       *CheckerRequest   `json:"checker,omitempty" doc:"How the output of every test that states no checker is compared."`
	StopOnFailure bool              `json:"stop_on_failure,omitempty" doc:"Skip the tests that have not started once one is not accepted."`
	Priority      int               `json:"priority,omitempty" doc:"Jobs of a higher priority are run first."`
	Queue         string            `json:"queue,omitempty" maxLength:"64" doc:"The queue to wait in; the language's own without it."`
	Labels        map[string]string `json:"labels,omitempty" doc:"Your own notes, given back with the job. Names start with a letter or digit and hold letters, digits and ._-/ (64 at most); values hold up to 256 bytes."`
}

// FileRequest is one source file.
type FileRequest struct {
	Name     string `json:"name,omitempty" doc:"Path below the working folder. The main file may leave it out and gets the language's usual name." example:"main.py"`
	Content  string `json:"content" doc:"The file's content."`
	Encoding string `json:"encoding,omitempty" enum:"utf8,base64" doc:"How content is written here; utf8 without it."`
}

// TestRequest is one test.
type TestRequest struct {
	ID             string          `json:"id,omitempty" maxLength:"64" doc:"Names the test in the report; its number, from 1, without it."`
	Input          string          `json:"input,omitempty" doc:"Standard input." example:"3 4\n"`
	ExpectedOutput *string         `json:"expected_output,omitempty" doc:"What the checker compares the output with. Without it every output is accepted of a program that ends with status 0 within its limits." example:"7\n"`
	Encoding       string          `json:"encoding,omitempty" enum:"utf8,base64" doc:"How input and expected_output are written here; utf8 without it."`
	Weight         *float64        `json:"weight,omitempty" minimum:"0" maximum:"1000000" doc:"What the test adds to the score; 1 without it."`
	Limits         *LimitsRequest  `json:"limits,omitempty" doc:"Limits of this test, over those of the job."`
	Checker        *CheckerRequest `json:"checker,omitempty" doc:"The checker of this test, over that of the job."`
}

// LimitsRequest bounds a run. What is not stated comes from the language.
type LimitsRequest struct {
	CPU       *int64 `json:"cpu_ms,omitempty" minimum:"1" doc:"CPU time of all processes together, in milliseconds." example:"1000"`
	Wall      *int64 `json:"wall_ms,omitempty" minimum:"1" doc:"Real time, in milliseconds." example:"5000"`
	Memory    *int64 `json:"memory_bytes,omitempty" minimum:"1048576" doc:"Memory, in bytes." example:"268435456"`
	Output    *int64 `json:"output_bytes,omitempty" minimum:"1" doc:"Bytes of standard output and of standard error, each."`
	Processes *int64 `json:"processes,omitempty" minimum:"1" doc:"Processes and threads at once."`
	FileSize  *int64 `json:"file_size_bytes,omitempty" minimum:"1" doc:"Bytes of the largest file that may be written."`
	OpenFiles *int64 `json:"open_files,omitempty" minimum:"4" doc:"Open files of one process."`
	Stack     *int64 `json:"stack_bytes,omitempty" minimum:"65536" doc:"Bytes of stack; as much as memory without it."`
	Disk      *int64 `json:"disk_bytes,omitempty" minimum:"4096" doc:"Bytes of all files together; as much as memory without it."`
}

// CheckerRequest says how output is compared with what is expected.
type CheckerRequest struct {
	Kind     string   `json:"kind" enum:"exact,trim,tokens,float" doc:"exact: byte for byte. trim (the default): ignores white space at the end of lines and of the output. tokens: compares words. float: compares words, numbers within a tolerance."`
	Absolute *float64 `json:"absolute,omitempty" minimum:"0" maximum:"1e300" doc:"Absolute tolerance of float. Without both tolerances each is 1e-6."`
	Relative *float64 `json:"relative,omitempty" minimum:"0" maximum:"1e300" doc:"Relative tolerance of float."`
}

// BatchRequest is the body of a batch.
type BatchRequest struct {
	Jobs []JobRequest `json:"jobs" minItems:"1" doc:"The jobs, each as for POST /v1/jobs."`
}
