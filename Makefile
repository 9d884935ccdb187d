# The two commands of the README are `make demo` and `make test`; each does all the set-up on a Debian 12 with Swift 6.3.

# The data sets beside the project, or those among the tests' fixtures.
DATASET ?= Tests/BackupCoreTests/Fixtures/small

.PHONY: demo test conformance testbed kill lives storms purges copies torture faults flips mendings fuzz bench build release package packages clean

## demo: builds, and shows a mail server followed live, a folder emptied, and the mailbox brought back
demo: packages
	@swift run -c release --quiet Demo

## test: builds without a warning, and passes all tests
test: packages
	Scripts/build-without-warnings
	swift test --skip-build

## conformance: backs up the recorded life in DATASET=<folder>, restores it at each instant, and compares with the real tables
conformance: packages
	@swift run -c release --quiet Conformance $(DATASET)

## testbed: MariaDB and OpenLDAP with the recorded lives in DATASETS, scanned as live servers, restored, and compared
DATASETS ?= Tests/BackupCoreTests/Fixtures/small Tests/BackupCoreTests/Fixtures/crash $(wildcard ../shared/datasets/medium)
testbed: packages
	@sh Scripts/install-packages mariadb-server slapd ldap-utils
	@swift run -c release --quiet Testbed $(DATASETS)

## kill: kills the service 100 times under load, and compares what is left with the server
KILLS ?= 100
kill: build
	ZXBACKUP_KILLS=$(KILLS) ZXBACKUP_STARTS=100 swift test --filter KillTests

## lives: N seeded lives of a server (1,000 by default), each restored as of random moments and compared
N ?= 1000
lives: packages
	@swift run -c release --quiet Lives $(N)

## storms: LIVES seeded lives whose backup crashes and fails at random, and whose log is rotated and damaged
LIVES ?= 1000
storms: packages
	@swift run -c release --quiet Lives storms $(LIVES)

## purges: SCHEDULES seeded schedules of purges, scans, restores, crashes, and clocks that jump
SCHEDULES ?= 1000
purges: packages
	@swift run -c release --quiet Lives purges $(SCHEDULES)

## copies: COPIES copies by rsync of a backup path at work, and each once more on top
COPIES ?= 200
copies: packages
	@sh Scripts/install-packages rsync
	ZXBACKUP_COPIES=$(COPIES) swift test --filter RsyncTests

## torture: a crash at each of POINTS calls of random work; SEED=s CALL=c repeats one
POINTS ?= 100000
SEED ?= 1
torture: packages
	@swift run -c release --quiet Searches torture $(POINTS) $(SEED) $(CALL)

## faults: every call of the runs of SEEDS seeds fails once with each error
SEEDS ?= 4
faults: packages
	@swift run -c release --quiet Searches faults $(SEEDS)

## flips: every byte, line and file of a small backup path damaged; STRIDE=n tries every n-th damage
STRIDE ?= 1
flips: packages
	@swift run -c release --quiet Searches flips $(STRIDE)

## mendings: DAMAGES of a small backup path, each mended
DAMAGES ?= 10000
mendings: packages
	@swift run -c release --quiet Searches mendings $(DAMAGES)

## fuzz: libFuzzer for SECONDS on TARGET, or on each reader of strangers' bytes
SECONDS ?= 60
fuzz: packages
	@sh Scripts/fuzz $(SECONDS) $(TARGET)

## bench: against restic and borg, on MESSAGES messages of KIND, PAIRS times in turn; .build/bench/results.json
KIND ?= mixed
MESSAGES ?= 20000
PAIRS ?= 5
bench: packages
	@sh Scripts/install-packages restic borgbackup time
	swift build -c release --product zxbackup --quiet
	@swift run -c release --quiet Bench --kind $(KIND) --messages $(MESSAGES) --pairs $(PAIRS) $(BENCH)

## build: debug build
build: packages
	swift build

## release: optimised build
release: packages
	swift build -c release --product zxbackup

## package: a .tar.gz and a .deb with everything that the program needs, under .build/package
package: packages
	@sh Scripts/install-packages dpkg-dev
	@Scripts/package

## packages: the Debian packages that the build needs
packages:
	@Scripts/install-packages

clean:
	swift package clean
