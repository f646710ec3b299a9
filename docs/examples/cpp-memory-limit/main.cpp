#include <cstring>
#include <vector>

int main() {
    std::vector<char *> kept;
    while (true) {
        kept.push_back(new char[1000000]);
        std::memset(kept.back(), 1, 1000000);
    }
}
