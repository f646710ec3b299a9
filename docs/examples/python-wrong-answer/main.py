n = int(input())
numbers = list(map(int, input().split())) if n else []
print(sum(numbers[:-1]))
