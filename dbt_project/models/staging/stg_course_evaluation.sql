{{ staging('course_evaluation') }}
