def answer()
    return 0

print(answer())
